//! Deliveries: one message on its way to one endpoint.

use serde::{Deserialize, Serialize};

use crate::{EndpointId, MessageId};

/// Names a delivery: there is one for each message and each endpoint that wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    /// What is delivered.
    pub message: MessageId,
    /// To whom.
    pub endpoint: EndpointId,
}

/// Where a delivery stands.
///
/// *Sending* is known to the lane only, and *parked* follows from the endpoint being disabled, so
/// neither is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// A try is due, now or later.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// No further try will be made, unless somebody asks for one.
    Failed,
    /// Its endpoint was deleted, or somebody withdrew it.
    Cancelled,
}

/// Why a delivery ended without having been delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalReason {
    /// Every try of the schedule failed.
    Exhausted,
    /// Its message's content was gone before a try succeeded.
    Expired,
    /// The endpoint, or the application, was deleted.
    Deleted,
}
