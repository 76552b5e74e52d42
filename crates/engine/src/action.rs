//! What the engine answers.

use std::sync::Arc;

use ringbolt_model::endpoint::Failing;
use ringbolt_model::{
    AppId, DeliveryKey, DisableReason, EndpointId, FinalReason, Message, Timestamp, Trigger,
};

use crate::input::Endpoints;

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Make a try.
    Start(Start),
    /// Read rows of a lane that are due, earliest first, and answer `Loaded` or `LoadFailed`. At
    /// most one is outstanding for each lane.
    Load {
        /// The lane.
        endpoint: EndpointId,
        /// At most so many rows.
        limit: usize,
        /// Stop before the payloads exceed this many bytes; but one row is always wanted. A page cut
        /// short by this has `more`.
        bytes: usize,
    },
    /// These fresh deliveries leave memory without a try: write rows for them, due when their
    /// message was accepted, and answer one `Stored`. All are of one lane.
    Spill {
        /// Which.
        deliveries: Vec<DeliveryKey>,
    },
    /// The endpoint of these fresh deliveries was deleted: end them as cancelled.
    Cancel {
        /// Which.
        deliveries: Vec<DeliveryKey>,
    },
    /// Disable the endpoint. Its lane has stopped already.
    Disable {
        /// Which.
        endpoint: EndpointId,
        /// The application that it belongs to.
        app: AppId,
        /// Why.
        reason: DisableReason,
    },
    /// Tell the owner that the endpoint will be disabled if it goes on failing.
    Warn {
        /// Which.
        endpoint: EndpointId,
        /// The application that it belongs to.
        app: AppId,
        /// How far it has come: 50, 75 or 90.
        percent: u8,
        /// Since when, and how.
        failing: Failing,
    },
    /// Tell operators that the breaker of a lane has opened or closed.
    Breaker {
        /// The lane.
        endpoint: EndpointId,
        /// The application that it belongs to.
        app: AppId,
        /// Whether it is open now.
        open: bool,
    },
    /// Persist how the endpoint fares: at the first failure, a warning and when it is well again;
    /// otherwise at most once a minute.
    Health {
        /// Which.
        endpoint: EndpointId,
        /// The application that it belongs to.
        app: AppId,
        /// Its row of failures, if it is failing.
        failing: Option<Failing>,
    },
}

/// A try to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The delivery.
    pub delivery: DeliveryKey,
    /// What to send.
    pub message: Arc<Message>,
    /// Tries used up before this one.
    pub attempts: u32,
    /// Why.
    pub trigger: Trigger,
    /// It probes an endpoint whose breaker is open: a failure uses up no try.
    pub probe: bool,
    /// The store has no row for the delivery.
    pub fresh: bool,
}

/// Which deliveries of a message go into memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// These do: no rows for them.
    pub fresh: Endpoints,
    /// These do not: rows, due at once, in the message's own transaction.
    pub stored: Endpoints,
}

/// What is to be written with a try's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The store has no row for the delivery.
    pub fresh: bool,
    /// Where the delivery stands now.
    pub change: Change,
}

impl Decision {
    /// Whether `Recorded` must be told once this decision is in the store. A first try that
    /// succeeds, the common case, needs none; telling it without need does no harm.
    #[must_use]
    pub const fn awaits_record(&self) -> bool {
        match self.change {
            Change::Waits => false,
            Change::Retry { .. } => true,
            Change::Delivered | Change::Failed(_) | Change::Cancelled => !self.fresh,
        }
    }
}

/// Where a delivery stands after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has arrived.
    Delivered,
    /// It is pending: its row says when it is due. (Of an endpoint that is disabled: parked. Of one
    /// that was deleted before this could be written: write it as cancelled.)
    Retry {
        /// When it is due.
        at: Timestamp,
        /// Tries used up, this one included.
        attempts: u32,
    },
    /// It has ended.
    Failed(FinalReason),
    /// A probe failed: nothing about the delivery changes, row or none.
    Waits,
    /// Its endpoint was deleted meanwhile.
    Cancelled,
}
