//! Deliveries that wait in the store: the queue behind the lanes.

use std::sync::Arc;

use async_trait::async_trait;
use ringbolt_model::{AppId, EndpointId, Message, MessageId, Timestamp, Trigger};

use super::StoreError;

/// A delivery read back from the store.
#[derive(Debug, Clone)]
pub struct StoredDelivery {
    /// What is to be delivered; its payload is absent if the content is gone.
    pub message: Arc<Message>,
    /// Tries used up.
    pub attempts: u32,
    /// Why it is due.
    pub trigger: Trigger,
    /// Since when it is due.
    pub due: Timestamp,
}

/// The earliest due deliveries of an endpoint.
#[derive(Debug, Clone)]
pub struct DuePage {
    /// In order of when they are due, then of arrival.
    pub deliveries: Vec<StoredDelivery>,
    /// Whether more were due than fitted.
    pub more: bool,
    /// When the first one after those is due, if there is any.
    pub next_due: Option<Timestamp>,
}

/// That an endpoint has pending deliveries in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneWork {
    /// Whose.
    pub endpoint: EndpointId,
    /// When the first one is due.
    pub due: Timestamp,
}

/// A step of a recovery of failed deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// How many are pending again by this step.
    pub deliveries: usize,
    /// Where the next step continues; `None` at the end.
    pub reached: Option<MessageId>,
}

/// Why a delivery is not sent again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResendRefused {
    /// The content of the message is gone.
    #[error("the content of this message is gone")]
    MissingPayload,
    /// The store said no; `NotFound` if there is no such message.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The queue behind the lanes. Moments are on the steady clock.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Turns the open marks that the store was opened with, left by a crash, into rows that are due at
    /// `now`. It may be called again after it failed, and while messages are accepted: their marks are
    /// not touched. Fails if the store cannot be written, even if there are no marks. Returns how many
    /// deliveries it made due.
    async fn reopen(&self, now: Timestamp) -> Result<usize, StoreError>;

    /// Every endpoint with pending deliveries that is neither deleted nor disabled, by index.
    async fn lanes_with_work(&self) -> Result<Vec<LaneWork>, StoreError>;

    /// The deliveries of an endpoint that are due at `now`, earliest first, at most `limit`, and no
    /// more payload than `bytes` (but at least one delivery).
    async fn due(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        limit: usize,
        bytes: usize,
    ) -> Result<DuePage, StoreError>;

    /// Makes a delivery pending again by hand, whether or not the endpoint wanted the message and
    /// whatever became of it; one that is pending becomes due now. Returns when it is due.
    async fn resend(
        &self,
        app: AppId,
        message: MessageId,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> Result<Timestamp, ResendRefused>;

    /// Makes failed deliveries of an endpoint pending again by hand: those of messages accepted in
    /// `since..until` after `reached`, at most `limit` of them, in order of arrival.
    async fn recover(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
        reached: Option<MessageId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Recovered, StoreError>;

    /// How many deliveries have rows that are pending.
    async fn pending(&self) -> Result<u64, StoreError>;
}
