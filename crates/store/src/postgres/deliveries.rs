//! Deliveries that wait in PostgreSQL: the queue behind the lanes of this node.

mod due;
mod resend;

use async_trait::async_trait;
use ringbolt_model::{AppId, DeliveryKey, EndpointId, MessageId, Timestamp};

use super::link::{Link, params};
use super::{Fault, PostgresStore};
use crate::lists::Window;
use crate::{Deliveries, DuePage, LaneWork, Recovered, ResendRefused, StoreError};

#[async_trait]
impl Deliveries for PostgresStore {
    /// Takes over from nodes whose lease has lapsed so long ago that it is nobody's any more. Those that died just
    /// now are found when it has.
    async fn reopen(&self, now: Timestamp) -> Result<usize, StoreError> {
        Ok(self.peers.adopt_long_dead(now).await?)
    }

    async fn lanes_with_work(&self) -> Result<Vec<LaneWork>, StoreError> {
        let client = self.client().await?;
        Ok(due::lanes(self.link(&client), self.membership.incarnation()).await?)
    }

    async fn due(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        limit: usize,
        bytes: usize,
    ) -> Result<DuePage, StoreError> {
        let client = self.client().await?;
        let owner = self.membership.incarnation();
        Ok(due::page(self.link(&client), owner, endpoint, now, (limit, bytes)).await?)
    }

    async fn resend(
        &self,
        app: AppId,
        message: MessageId,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> Result<Timestamp, ResendRefused> {
        let key = DeliveryKey { message, endpoint };
        match self.resend_now(app, key, now).await {
            Ok(true) => Ok(now),
            Ok(false) => Err(ResendRefused::MissingPayload),
            Err(fault) => Err(StoreError::from(fault).into()),
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
        Ok(self.recover_some(endpoint, window, limit, now).await?)
    }

    async fn pending(&self) -> Result<u64, StoreError> {
        let client = self.client().await?;
        Ok(due::pending(self.link(&client)).await?)
    }
}

/// Proves the lease in a transaction that is not the hot path's, and keeps it until its end.
pub(super) async fn prove(link: Link<'_>, incarnation: i64) -> Result<(), Fault> {
    let sql = "SELECT 1 FROM node WHERE incarnation = $1 AND alive FOR KEY SHARE";
    let found = link.maybe(sql, params![incarnation]).await?;
    found.map(drop).ok_or(Fault::Fenced)
}
