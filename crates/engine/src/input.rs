//! What the engine is told.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::{AppId, DeliveryKey, EndpointId, Message, MessageId, Timestamp, Trigger};
use smallvec::SmallVec;

use crate::settings::LaneSettings;

/// Endpoints of one message: a handful, as a rule.
pub type Endpoints = SmallVec<[EndpointId; 4]>;

/// A lane, described so that the engine can make it if it does not know it (any more).
#[derive(Debug, Clone)]
pub struct Target {
    /// Whose lane it is.
    pub endpoint: EndpointId,
    /// The application that the endpoint belongs to.
    pub app: AppId,
    /// What the endpoint asks for; ignored for a lane that the engine knows.
    pub settings: Arc<LaneSettings>,
}

/// Something that has happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// An endpoint was created, changed, enabled or disabled. Enabling one that was disabled, by
    /// whomever, resets its breaker and health and reads the store again. Must not overtake the
    /// write that a `Disable` caused.
    Configure {
        /// The lane and what holds for it from now on.
        target: Target,
    },
    /// An application's rate: told once for each that has one, and when it changes.
    ApplicationRate {
        /// Whose.
        app: AppId,
        /// Tries per second to all of its endpoints together.
        rate: Option<NonZeroU16>,
    },
    /// An endpoint was deleted. Nothing starts any more; attempts in flight end as cancelled.
    Remove {
        /// Which.
        endpoint: EndpointId,
    },
    /// A message and what was said about it by `admit` are durable.
    Committed {
        /// The message.
        message: Arc<Message>,
        /// The endpoints that were admitted into memory.
        fresh: Endpoints,
        /// The endpoints for which rows were written. (No `Stored` is needed for these.)
        stored: Endpoints,
    },
    /// The commit failed: reservations are given back.
    Abandoned {
        /// The message that `admit` was asked about.
        message: MessageId,
        /// The endpoints that were admitted into memory.
        fresh: Endpoints,
        /// The endpoints for which rows were to be written.
        stored: Endpoints,
    },
    /// Rows of a lane are in the store: found at start-up, spilled, resent, recovered. Each
    /// `Spill` is answered by exactly one of these.
    Stored {
        /// The lane.
        target: Target,
        /// When the earliest of them is due.
        due: Timestamp,
        /// Somebody asked for it: an open breaker probes at once.
        manual: bool,
    },
    /// The answer to a `Load`.
    Loaded {
        /// The lane.
        endpoint: EndpointId,
        /// Its rows that are due, earliest first, as the store has them: rows that the lane holds
        /// already are skipped here.
        deliveries: Vec<StoredDelivery>,
        /// When the earliest row that is not due yet will be.
        next_due: Option<Timestamp>,
        /// Whether further rows are due beyond this page.
        more: bool,
    },
    /// The page could not be read; it is asked for again after a while.
    LoadFailed {
        /// The lane.
        endpoint: EndpointId,
    },
    /// A decision is in the store (see [`crate::Decision::awaits_record`]). The driver tries until
    /// it is: without this the delivery is never read back.
    Recorded {
        /// Which.
        delivery: DeliveryKey,
    },
    /// The moment of `next_wake` has come.
    Wake,
}

/// A row that was read back.
#[derive(Debug, Clone)]
pub struct StoredDelivery {
    /// The message.
    pub message: Arc<Message>,
    /// The tries used up so far.
    pub attempts: u32,
    /// Why it is due.
    pub trigger: Trigger,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took, a time-out included.
    pub took: Duration,
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint took the message.
    Success,
    /// It did not.
    Failure(Failure),
}

/// What more is known about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failure {
    /// The answer was 410: the endpoint is not to be tried again.
    pub gone: bool,
    /// The answer asked to wait.
    pub hold: Option<Hold>,
    /// Nothing was sent, since the message's content has gone.
    pub expired: bool,
}

/// How long an answer asked to wait (`Retry-After`, RFC 9110 section 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// From now; taken as 24 hours if longer.
    pub wait: Duration,
    /// Whether it is meant for the whole lane (429, 503) or for this delivery.
    pub lane: bool,
}

impl Verdict {
    /// A success.
    #[must_use]
    pub const fn success(took: Duration) -> Self {
        Self {
            outcome: Outcome::Success,
            took,
        }
    }

    /// A failure of which no more is known.
    #[must_use]
    pub const fn failure(took: Duration) -> Self {
        let failure = Failure {
            gone: false,
            hold: None,
            expired: false,
        };
        Self {
            outcome: Outcome::Failure(failure),
            took,
        }
    }
}
