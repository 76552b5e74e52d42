//! Deliveries that wait.

use async_trait::async_trait;
use crate::*;
use super::PostgresStore;
use std::sync::Arc;
use ringbolt_model::{AppId, EndpointId, Message, MessageId, Timestamp, Trigger};
use crate::StoreError;

#[async_trait]
impl Deliveries for PostgresStore {

    async fn reopen(&self, now: Timestamp) -> Result<usize, StoreError> {
        todo!()
    }

    async fn lanes_with_work(&self) -> Result<Vec<LaneWork>, StoreError> {
        todo!()
    }

    async fn due(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        limit: usize,
        bytes: usize,
    ) -> Result<DuePage, StoreError> {
        todo!()
    }

    async fn resend(
        &self,
        app: AppId,
        message: MessageId,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> Result<Timestamp, ResendRefused> {
        todo!()
    }

    async fn recover(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
        reached: Option<MessageId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Recovered, StoreError> {
        todo!()
    }

    async fn pending(&self) -> Result<u64, StoreError> {
        todo!()
    }

}
