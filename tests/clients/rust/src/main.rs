//! The official Rust SDK, unmodified, against a running server (`sdk`), and the Standard Webhooks crate on
//! what arrived (`verify`). Ends with an error that names what was not as the SDK's types promise.

mod options;
mod sdk;
mod verify;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("sdk") => sdk::run().await,
        Some("verify") => verify::run(),
        _ => anyhow::bail!("usage: ringbolt-contract-client sdk|verify"),
    }
}
