//! Deliveries that wait in SQLite: the queue behind the lanes.

mod due;
mod reopen;
mod resend;

use std::sync::Arc;

use async_trait::async_trait;
use ringbolt_model::{AppId, DeliveryKey, EndpointId, MessageId, Timestamp};

#[cfg(test)]
pub(in crate::sqlite) use due::{DUE, NEXT_LANE, PENDING};
#[cfg(test)]
pub(in crate::sqlite) use resend::FAILED;

use super::SqliteStore;
use crate::lists::Window;
use crate::{Deliveries, DuePage, LaneWork, Recovered, ResendRefused, StoreError};

#[async_trait]
impl Deliveries for SqliteStore {
    async fn reopen(&self, now: Timestamp) -> Result<usize, StoreError> {
        let (last, mut from) = (self.inherited, Some(MessageId::from(0)));
        let mut deliveries = 0;
        while let Some(after) = from {
            let step = self
                .write(move |tx| reopen::step(tx, after, last, now))
                .await?;
            deliveries += step.deliveries;
            from = step.reached;
        }
        Ok(deliveries)
    }

    async fn lanes_with_work(&self) -> Result<Vec<LaneWork>, StoreError> {
        self.read(due::lanes).await
    }

    async fn due(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        limit: usize,
        bytes: usize,
    ) -> Result<DuePage, StoreError> {
        self.read(move |conn| due::page(conn, endpoint, now, limit, bytes))
            .await
    }

    async fn resend(
        &self,
        app: AppId,
        message: MessageId,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> Result<Timestamp, ResendRefused> {
        let shared = Arc::clone(&self.shared);
        let key = DeliveryKey { message, endpoint };
        let again = self
            .write(move |tx| resend::resend(tx, &shared.watermarks, app, key, now))
            .await?;
        if again {
            Ok(now)
        } else {
            Err(ResendRefused::MissingPayload)
        }
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
        let window = Window::new(since, until, reached);
        self.write(move |tx| resend::recover(tx, endpoint, window, limit, now))
            .await
    }

    async fn pending(&self) -> Result<u64, StoreError> {
        self.read(due::pending).await
    }
}
