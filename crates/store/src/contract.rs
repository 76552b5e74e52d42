//! What a store can do, as operations of the domain; each area is a small trait.

mod catalogue;
mod cluster;
mod deliveries;
mod idempotency;
mod journal;
mod keys;
mod log;
mod page;
mod upkeep;

pub use catalogue::{
    AppRef, Catalogue, Destination, Edit, EndpointRef, EventTypesShown, FailingEndpoint,
    NewEndpoint,
};
pub use cluster::{Cluster, Ear, News, Node, NodeLoad, NodeName};
pub use deliveries::{Deliveries, DuePage, LaneWork, Recovered, ResendRefused, StoredDelivery};
pub use idempotency::{Answers, IdempotencyKey, KEPT as IDEMPOTENCY_KEPT, KeptAnswer};
pub use journal::{
    Accept, AcceptRefused, Accepted, Journal, Listener, Outcome, Receipt, Settled, Spill, Write,
};
pub use keys::{ENDED_AT_ONCE, Keys};
pub use log::{
    AttemptFilter, Counts, DeliveryView, Log, MessageFilter, MessageRef, StatusClass, StatusFilter,
};
pub use page::{Listing, Order, Page};
pub use upkeep::{Distribution, Health, Sizes, Tidied, Unwritable, Upkeep, Working};

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing, or it was deleted.
    #[error("not found")]
    NotFound,
    /// Something else already has this uid, name or id.
    #[error("another one with this {0} exists")]
    Conflict(&'static str),
    /// A bound of the store would be passed.
    #[error("at most {limit} {what} are possible")]
    TooMany {
        /// Of what there are too many.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The disk is full: nothing was written; try again later.
    #[error("the store's disk is full")]
    Full,
    /// The store cannot be written or read now; try again later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What is stored cannot be understood: a wrong encryption key, or damage.
    #[error("stored data is unreadable: {0}")]
    Unreadable(String),
}

/// What every store is: all areas together.
pub trait Store:
    Catalogue + Cluster + Deliveries + Answers + Journal + Keys + Log + Upkeep
{
}

impl<S: Catalogue + Cluster + Deliveries + Answers + Journal + Keys + Log + Upkeep> Store for S {}
