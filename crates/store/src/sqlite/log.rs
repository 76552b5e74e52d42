//! Looking up messages, deliveries and attempts.

mod attempts;
pub(in crate::sqlite) mod expunge;
pub(in crate::sqlite) mod failing;
mod gathering;
mod messages;
mod owed;
pub(in crate::sqlite) mod rows;
#[cfg(test)]
mod seams;
mod standing;
#[cfg(test)]
pub(in crate::sqlite) mod statements;

use async_trait::async_trait;
use ringbolt_model::{
    AppId, Attempt, AttemptId, Endpoint, EndpointId, Message, MessageId, Timestamp,
};
use rusqlite::Connection;

use super::{SqliteStore, counts};
use crate::{
    AttemptFilter, Counts, DeliveryView, Listing, Log, MessageFilter, MessageRef, Order, Page,
    StoreError,
};

/// Up to which ids the tables by endpoint are folded, as columns hold them.
#[derive(Debug, Clone, Copy)]
struct Folded {
    message: i64,
    attempt: i64,
}

const WATERMARKS: &str = "SELECT message_id, attempt_id FROM folded WHERE one = 1";

/// Read in the transaction that reads the lists: the two sides of the seam belong to one moment.
fn watermarks(conn: &Connection) -> rusqlite::Result<Folded> {
    conn.prepare_cached(WATERMARKS)?.query_row((), |row| {
        Ok(Folded {
            message: row.get(0)?,
            attempt: row.get(1)?,
        })
    })
}

const fn direction(order: Order) -> &'static str {
    match order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    }
}

fn found<T>(found: Option<T>) -> Result<T, StoreError> {
    found.ok_or(StoreError::NotFound)
}

fn existed(existed: bool) -> Result<(), StoreError> {
    if existed {
        Ok(())
    } else {
        Err(StoreError::NotFound)
    }
}

#[async_trait]
impl Log for SqliteStore {
    async fn message(
        &self,
        app: AppId,
        message: MessageRef,
        with_content: bool,
    ) -> Result<Message, StoreError> {
        self.read(move |conn| Ok(found(messages::one(conn, app, &message, with_content)?)?))
            .await
    }

    async fn messages(
        &self,
        app: AppId,
        filter: MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Listing<Message, MessageId>, StoreError> {
        self.read(move |conn| Ok(messages::of_application(conn, app, &filter, &page)?))
            .await
    }

    async fn endpoint_messages(
        &self,
        endpoint: EndpointId,
        filter: MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Listing<(Message, DeliveryView), MessageId>, StoreError> {
        self.read(move |conn| {
            Ok(found(messages::of_endpoint(
                conn, endpoint, &filter, &page,
            )?)?)
        })
        .await
    }

    async fn message_deliveries(
        &self,
        app: AppId,
        message: MessageId,
        page: Page<EndpointId>,
    ) -> Result<Listing<(Endpoint, DeliveryView), EndpointId>, StoreError> {
        self.read(move |conn| Ok(found(owed::of_message(conn, app, message, &page)?)?))
            .await
    }

    async fn expunge_message(&self, app: AppId, message: MessageId) -> Result<(), StoreError> {
        self.write(move |tx| Ok(existed(expunge::message(tx, app, message)?)?))
            .await
    }

    async fn attempt(
        &self,
        app: AppId,
        message: MessageId,
        attempt: AttemptId,
    ) -> Result<Attempt, StoreError> {
        self.read(move |conn| Ok(found(attempts::one(conn, app, message, attempt)?)?))
            .await
    }

    async fn endpoint_attempts(
        &self,
        endpoint: EndpointId,
        filter: AttemptFilter,
        page: Page<AttemptId>,
    ) -> Result<Listing<Attempt, AttemptId>, StoreError> {
        self.read(move |conn| {
            Ok(found(attempts::of_endpoint(
                conn, endpoint, &filter, &page,
            )?)?)
        })
        .await
    }

    async fn message_attempts(
        &self,
        app: AppId,
        message: MessageId,
        filter: AttemptFilter,
        page: Page<AttemptId>,
    ) -> Result<Listing<Attempt, AttemptId>, StoreError> {
        self.read(move |conn| {
            Ok(found(attempts::of_message(
                conn, app, message, &filter, &page,
            )?)?)
        })
        .await
    }

    async fn expunge_attempt(
        &self,
        app: AppId,
        message: MessageId,
        attempt: AttemptId,
    ) -> Result<(), StoreError> {
        self.write(move |tx| Ok(existed(expunge::attempt(tx, app, message, attempt)?)?))
            .await
    }

    async fn endpoint_counts(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Counts, StoreError> {
        self.read(move |conn| Ok(found(counts::of_endpoint(conn, endpoint, since, until)?)?))
            .await
    }
}
