//! The hot path: accepting messages and recording what became of their deliveries.

use std::sync::Arc;

use ringbolt_model::{
    Attempt, DeliveryKey, EndpointId, FinalReason, Message, MessageId, Timestamp, Trigger,
};
use smallvec::SmallVec;

use super::{IdempotencyKey, StoreError};

/// Takes writes without waiting, joins whatever has queued up into one transaction, and hands the
/// receipts of a transaction to the [`Listener`] in one call once it is on disk. One bad write never
/// fails the others of its transaction.
pub trait Journal: Send + Sync {
    /// Queues a write. The queue is bounded in count and bytes for accepts, in all and for each
    /// application: a full one gives the write back. Of each application, what comes first is written
    /// first; applications may take turns. Outcomes and spills are always taken; their number is bounded by attempts in flight.
    ///
    /// # Errors
    /// The write itself, if the queue is full.
    fn submit(&self, write: Write) -> Result<(), Box<Write>>;

    /// Who is told of finished transactions, on the writer's thread: it must be quick. Set once,
    /// before the first write.
    fn listen(&self, listener: Listener);
}

/// Is called once per transaction.
pub type Listener = Box<dyn Fn(Vec<Receipt>) + Send + Sync>;

/// A write of the hot path.
#[derive(Debug)]
pub enum Write {
    /// A message to be accepted.
    Accept(Accept),
    /// What came of a try.
    Outcome(Outcome),
    /// Fresh deliveries that leave memory untried.
    Spill(Spill),
}

/// A message to be accepted, and what is owed to whom.
#[derive(Debug)]
pub struct Accept {
    /// The message; its payload is present.
    pub message: Arc<Message>,
    /// Targets that are held in memory: covered by the open mark.
    pub fresh: SmallVec<[EndpointId; 4]>,
    /// Targets that are not: each gets a row, due at `due`.
    pub stored: SmallVec<[EndpointId; 4]>,
    /// When the stored ones are due; on the steady clock.
    pub due: Timestamp,
    /// The version of the application's routes by which the targets were found.
    pub routes: u64,
    /// The sender's idempotency key with a digest of the request, if it sent one.
    pub idempotency: Option<IdempotencyKey>,
    /// Given back with the receipt: whoever waits for the answer.
    pub ticket: u64,
}

/// What came of a try at a delivery.
#[derive(Debug)]
pub struct Outcome {
    /// The try.
    pub attempt: Attempt,
    /// Whether the delivery was covered by its message's open mark (it is not any more, unless it
    /// waits).
    pub fresh: bool,
    /// What becomes of the delivery.
    pub settled: Settled,
}

/// What becomes of a delivery after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is done. A fresh delivery needs no row; a stored one's row says so.
    Delivered,
    /// It is due again at this moment, having used up this many tries of its schedule.
    Retry {
        /// When.
        at: Timestamp,
        /// How many tries are used up.
        attempts: u32,
    },
    /// It has ended without success.
    Failed(FinalReason),
    /// It waits unchanged: the try was a probe and used up nothing.
    Waits,
    /// Its endpoint is gone.
    Cancelled,
}

/// Fresh deliveries that leave memory untried: each gets a row.
#[derive(Debug)]
pub struct Spill {
    /// Which.
    pub deliveries: Vec<DeliveryKey>,
    /// When they are due; on the steady clock.
    pub due: Timestamp,
    /// How they came to be due.
    pub trigger: Trigger,
}

/// The end of a write.
#[derive(Debug)]
pub enum Receipt {
    /// The message was accepted, or why not. The request is given back.
    Accept(Accept, Result<Accepted, AcceptRefused>),
    /// The outcome is on disk. Failures of the store do not end here: outcomes are kept and written
    /// when it recovers.
    Outcome {
        /// Of which delivery.
        delivery: DeliveryKey,
        /// Whether it had been covered by an open mark.
        fresh: bool,
        /// What became of it.
        settled: Settled,
    },
    /// The rows are on disk.
    Spill(Spill),
    /// An outcome was not recorded, since others have taken over what this node had.
    Disowned {
        /// Of which delivery.
        delivery: DeliveryKey,
    },
}

/// How a message was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is new, and on disk.
    New,
    /// The idempotency key was seen before with the same request: this message came of it then.
    /// Nothing was written.
    Repeated(MessageId),
}

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptRefused {
    /// The idempotency key was used within a day for another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// A message of the application had this event id within a day.
    #[error("a message with this event id exists")]
    EventIdTaken,
    /// The application was deleted meanwhile.
    #[error("the application was deleted")]
    ApplicationGone,
    /// The application's routes are not those by which the targets were found: it has to be routed again.
    #[error("the routes have changed meanwhile")]
    Stale,
    /// Nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
