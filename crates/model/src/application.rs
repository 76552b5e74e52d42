//! Applications: the tenants of the product that sends.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use crate::{AppId, Metadata, Timestamp, Uid};

/// A tenant of the product that sends; it owns endpoints and messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its id; the time in it is when the application was created.
    pub id: AppId,
    /// The user's own identifier; unique.
    pub uid: Option<Uid>,
    /// A name for people, at least one character.
    pub name: String,
    /// Deliveries per second to all of its endpoints together; unlimited if absent.
    pub throttle_rate: Option<NonZeroU16>,
    /// Text of the user's own.
    pub metadata: Metadata,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
