//! The client against real servers on the loopback interface.

mod http1;
mod server;
mod via;
