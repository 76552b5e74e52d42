//! Looking up messages, deliveries and attempts.
//!
//! What is past retention is not found unless something of it is unfinished: by then its day may still be there, or not.

mod attempts;
mod counts;
mod endpoint_messages;
mod expunge;
mod messages;
mod owed;
mod parts;
pub(in crate::postgres) mod rows;
mod standing;

use async_trait::async_trait;
use ringbolt_model::{
    AppId, Attempt, AttemptId, Endpoint, EndpointId, Message, MessageId, Timestamp,
};

use super::PostgresStore;
use crate::{
    AttemptFilter, Counts, DeliveryView, Listing, Log, MessageFilter, MessageRef, Page, StoreError,
};

/// Statements with the index that each walks.
#[cfg(test)]
pub(in crate::postgres) fn plans() -> Vec<(String, &'static str)> {
    let mut plans = vec![(counts::COUNTS.to_owned(), "_pkey")];
    plans.extend(messages::plans());
    plans.extend(endpoint_messages::plans());
    plans.extend(owed::plans());
    plans.extend(attempts::plans());
    plans
}

/// Whether a message is to be found, as SQL: it is within retention, or something of it is unfinished.
fn is_there(app: &str, message: &str) -> String {
    format!(
        "({message} >= (SELECT horizon FROM house) \
         OR EXISTS (SELECT 1 FROM delivery u WHERE u.message_id = {message} AND u.app_id = {app}) \
         OR EXISTS (SELECT 1 FROM open_message u WHERE u.app_id = {app} AND u.id = {message}))"
    )
}

#[async_trait]
impl Log for PostgresStore {
    async fn message(
        &self,
        app: AppId,
        message: MessageRef,
        with_content: bool,
    ) -> Result<Message, StoreError> {
        let client = self.client().await?;
        Ok(messages::one(self.link(&client), app, &message, with_content).await?)
    }

    async fn messages(
        &self,
        app: AppId,
        filter: MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Listing<Message, MessageId>, StoreError> {
        let client = self.client().await?;
        Ok(messages::of_application(self.link(&client), app, &filter, &page).await?)
    }

    async fn endpoint_messages(
        &self,
        endpoint: EndpointId,
        filter: MessageFilter,
        page: Page<MessageId>,
    ) -> Result<Listing<(Message, DeliveryView), MessageId>, StoreError> {
        let client = self.client().await?;
        Ok(endpoint_messages::page(self.link(&client), endpoint, &filter, &page).await?)
    }

    async fn message_deliveries(
        &self,
        app: AppId,
        message: MessageId,
        page: Page<EndpointId>,
    ) -> Result<Listing<(Endpoint, DeliveryView), EndpointId>, StoreError> {
        let client = self.client().await?;
        Ok(owed::of_message(self.link(&client), app, message, &page).await?)
    }

    /// The content is gone for whoever reads; where its bytes were, they stay until PostgreSQL has vacuumed the table and
    /// uses the pages again, and in its log for as long as that is kept.
    async fn expunge_message(&self, app: AppId, message: MessageId) -> Result<(), StoreError> {
        let client = self.client().await?;
        Ok(expunge::message(self.link(&client), app, message).await?)
    }

    async fn attempt(
        &self,
        app: AppId,
        message: MessageId,
        attempt: AttemptId,
    ) -> Result<Attempt, StoreError> {
        let client = self.client().await?;
        Ok(attempts::one(self.link(&client), app, message, attempt).await?)
    }

    async fn endpoint_attempts(
        &self,
        endpoint: EndpointId,
        filter: AttemptFilter,
        page: Page<AttemptId>,
    ) -> Result<Listing<Attempt, AttemptId>, StoreError> {
        let client = self.client().await?;
        Ok(attempts::of_endpoint(self.link(&client), endpoint, &filter, &page).await?)
    }

    async fn message_attempts(
        &self,
        app: AppId,
        message: MessageId,
        filter: AttemptFilter,
        page: Page<AttemptId>,
    ) -> Result<Listing<Attempt, AttemptId>, StoreError> {
        let client = self.client().await?;
        Ok(attempts::of_message(self.link(&client), app, message, &filter, &page).await?)
    }

    /// As with messages, the bytes stay where they were for a while.
    async fn expunge_attempt(
        &self,
        app: AppId,
        message: MessageId,
        attempt: AttemptId,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        Ok(expunge::attempt(self.link(&client), app, message, attempt).await?)
    }

    async fn endpoint_counts(
        &self,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Counts, StoreError> {
        let client = self.client().await?;
        Ok(counts::of_endpoint(self.link(&client), endpoint, since, until).await?)
    }
}
