//! What can be looked up about messages, deliveries and attempts.

use async_trait::async_trait;
use ringbolt_model::{
    AppId, Attempt, AttemptId, Channel, DeliveryState, Endpoint, EndpointId, EventTypeName,
    Message, MessageId, Tag, Timestamp, Uid,
};

use super::{Listing, Page, StoreError};

/// Names a message of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageRef {
    /// By its id.
    Id(MessageId),
    /// By the sender's event id; the newest one.
    EventId(Uid),
}

/// Which messages are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Of these types; empty means all.
    pub event_types: Vec<EventTypeName>,
    /// In this channel.
    pub channel: Option<Channel>,
    /// With this tag.
    pub tag: Option<Tag>,
    /// Accepted before this moment.
    pub before: Option<Timestamp>,
    /// Accepted after this moment.
    pub after: Option<Timestamp>,
    /// Whose delivery stands so (lists by endpoint only).
    pub status: Option<StatusFilter>,
    /// Whether payloads are read.
    pub with_content: bool,
}

/// A state to filter by, as the API numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// Delivered.
    Success,
    /// Pending, parked or being sent.
    Pending,
    /// Failed.
    Fail,
    /// Cancelled.
    Cancelled,
}

/// The class of an answer's status; `0` stands for no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusClass(pub u16);

/// Which attempts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptFilter {
    /// At messages of these types; empty means all.
    pub event_types: Vec<EventTypeName>,
    /// At messages in this channel.
    pub channel: Option<Channel>,
    /// At messages with this tag.
    pub tag: Option<Tag>,
    /// Ended before this moment.
    pub before: Option<Timestamp>,
    /// Ended after this moment.
    pub after: Option<Timestamp>,
    /// `Success` or `Fail`; attempts have no other status.
    pub status: Option<StatusFilter>,
    /// Whose answer has a status from this hundred on (0, 100, … 500).
    pub status_class: Option<StatusClass>,
    /// At deliveries to this endpoint (lists by message only).
    pub endpoint: Option<EndpointId>,
    /// Whether bodies are read.
    pub with_content: bool,
}

/// Where a delivery stands, as a reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryView {
    /// Its state.
    pub state: DeliveryState,
    /// Whether it waits for its endpoint to be enabled.
    pub parked: bool,
    /// When the next try is due, if it is pending and a try is planned. For deliveries held in
    /// memory this is when the message was accepted.
    pub next_attempt: Option<Timestamp>,
}

/// How many deliveries stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Delivered.
    pub success: i64,
    /// Pending or parked.
    pub pending: i64,
    /// Failed.
    pub fail: i64,
    /// Cancelled.
    pub cancelled: i64,
}

/// Looking things up. Lists by id run newest first or oldest first as asked; each has an index in
/// exactly its order, and a page examines a bounded number of rows.
#[async_trait]
pub trait Log: Send + Sync {
    /// One message. Its payload is absent unless `with_content`, and if the content is gone.
    async fn message(
        &self,
        app: AppId,
        message: MessageRef,
        with_content: bool,
    ) -> Result<Message, StoreError>;
    /// Messages of an application.
    async fn messages(
        &self,
        app: AppId,
        filter: MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Listing<Message, MessageId>, StoreError>;
    /// Messages owed to an endpoint, with where their delivery stands.
    async fn endpoint_messages(
        &self,
        endpoint: EndpointId,
        filter: MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Listing<(Message, DeliveryView), MessageId>, StoreError>;
    /// The endpoints that a message is owed to, with where its delivery stands.
    async fn message_deliveries(
        &self,
        app: AppId,
        message: MessageId,
        page: Page<EndpointId>,
    ) -> Result<Listing<(Endpoint, DeliveryView), EndpointId>, StoreError>;
    /// Removes the content of a message; `NotFound` if there is no such message.
    async fn expunge_message(&self, app: AppId, message: MessageId) -> Result<(), StoreError>;

    /// One attempt at a message.
    async fn attempt(
        &self,
        app: AppId,
        message: MessageId,
        attempt: AttemptId,
    ) -> Result<Attempt, StoreError>;
    /// Attempts at deliveries to an endpoint.
    async fn endpoint_attempts(
        &self,
        endpoint: EndpointId,
        filter: AttemptFilter,
        page: Page<AttemptId>,
    ) -> Result<Listing<Attempt, AttemptId>, StoreError>;
    /// Attempts at a message.
    async fn message_attempts(
        &self,
        app: AppId,
        message: MessageId,
        filter: AttemptFilter,
        page: Page<AttemptId>,
    ) -> Result<Listing<Attempt, AttemptId>, StoreError>;
    /// Removes what an endpoint answered; the body then reads `EXPUNGED`.
    async fn expunge_attempt(
        &self,
        app: AppId,
        message: MessageId,
        attempt: AttemptId,
    ) -> Result<(), StoreError>;

    /// How many of the messages owed to an endpoint and accepted in `since..until` stand where, from
    /// rolled-up counters; the window is widened to whole hours.
    async fn endpoint_counts(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Counts, StoreError>;
}
