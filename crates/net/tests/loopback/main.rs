//! The client against real servers on the loopback interface.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

mod certificates;
mod dns;
mod guarded;
mod http1;
mod http2;
mod http2_goodbye;
mod http2_rude;
mod malformed;
mod name_server;
mod proxies;
mod reuse;
mod server;
mod tls;
mod via;
