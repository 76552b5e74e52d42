//! Looking up messages, deliveries and attempts.

pub(in crate::postgres) mod rows;

use super::PostgresStore;
use crate::*;
use crate::{Listing, Page, StoreError};
use async_trait::async_trait;
use ringbolt_model::{
    AppId, Attempt, AttemptId, Channel, DeliveryState, Endpoint, EndpointId, EventTypeName,
    Message, MessageId, Tag, Timestamp, Uid,
};

#[async_trait]
impl Log for PostgresStore {
    async fn message(
        &self,
        app: AppId,
        message: MessageRef,
        with_content: bool,
    ) -> Result<Message, StoreError> {
        todo!()
    }
    async fn messages(
        &self,
        app: AppId,
        filter: MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Listing<Message, MessageId>, StoreError> {
        todo!()
    }
    async fn endpoint_messages(
        &self,
        endpoint: EndpointId,
        filter: MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Listing<(Message, DeliveryView), MessageId>, StoreError> {
        todo!()
    }
    async fn message_deliveries(
        &self,
        app: AppId,
        message: MessageId,
        page: Page<EndpointId>,
    ) -> Result<Listing<(Endpoint, DeliveryView), EndpointId>, StoreError> {
        todo!()
    }
    async fn expunge_message(&self, app: AppId, message: MessageId) -> Result<(), StoreError> {
        todo!()
    }

    async fn attempt(
        &self,
        app: AppId,
        message: MessageId,
        attempt: AttemptId,
    ) -> Result<Attempt, StoreError> {
        todo!()
    }
    async fn endpoint_attempts(
        &self,
        endpoint: EndpointId,
        filter: AttemptFilter,
        page: Page<AttemptId>,
    ) -> Result<Listing<Attempt, AttemptId>, StoreError> {
        todo!()
    }
    async fn message_attempts(
        &self,
        app: AppId,
        message: MessageId,
        filter: AttemptFilter,
        page: Page<AttemptId>,
    ) -> Result<Listing<Attempt, AttemptId>, StoreError> {
        todo!()
    }
    async fn expunge_attempt(
        &self,
        app: AppId,
        message: MessageId,
        attempt: AttemptId,
    ) -> Result<(), StoreError> {
        todo!()
    }

    async fn endpoint_counts(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Counts, StoreError> {
        todo!()
    }
}
