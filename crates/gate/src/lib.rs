#![doc = include_str!("../README.md")]

pub mod answered;
pub mod auth;
pub mod body;
pub mod caller;
pub mod depth;
pub mod dress;
pub mod faults;
pub mod idempotency;
pub mod mend;
pub mod openapi;
pub mod page;
pub mod patch;
pub mod permission;
pub mod problem;
pub mod query;
pub mod rest;
pub mod shape;
pub mod tidy;
pub mod token;

mod arriving;
mod generations;
mod throttle;

pub use auth::Authenticator;
pub use body::{Input, Segments};
pub use caller::{Caller, Flags};
pub use faults::Faults;
pub use page::{Answer, Turn};
pub use patch::Patch;
pub use permission::Permission;
pub use problem::{Kind, Problem};
pub use query::{Query, Wrong, both};

use ringbolt_model::Timestamp;

/// The client's address, put into a request's extensions by whoever accepted the connection (it knows
/// which proxies to trust). Without it, guesses at tokens are not counted by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub std::net::IpAddr);

/// Tells the time of day; handed in, so that tests own it.
pub type Now = std::sync::Arc<dyn Fn() -> Timestamp + Send + Sync>;
