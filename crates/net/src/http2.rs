//! HTTP/2: exchanges that share connections, and the list of those connections.

mod counted;
mod exchange;
mod shared;

pub(crate) use exchange::exchange;
pub(crate) use shared::{Lease, SharedConnections, shake_hands};
