//! API keys, in rows.

use super::PostgresStore;
use crate::*;
use crate::{Listing, Page, StoreError};
use async_trait::async_trait;
use ringbolt_model::{ApiKey, AppId, KeyId, Timestamp};

#[async_trait]
impl Keys for PostgresStore {
    async fn create_key(&self, key: ApiKey) -> Result<(), StoreError> {
        todo!()
    }
    async fn key_by_hash(&self, hash: [u8; 32]) -> Result<ApiKey, StoreError> {
        todo!()
    }
    async fn keys(
        &self,
        app: Option<AppId>,
        page: Page<KeyId>,
    ) -> Result<Listing<ApiKey, KeyId>, StoreError> {
        todo!()
    }
    async fn revoke_key(&self, key: KeyId, now: Timestamp) -> Result<(), StoreError> {
        todo!()
    }
    async fn end_portals(
        &self,
        app: AppId,
        sessions: Vec<String>,
        end: Timestamp,
        after: Option<KeyId>,
    ) -> Result<Vec<KeyId>, StoreError> {
        todo!()
    }
    async fn keys_used(&self, used: Vec<(KeyId, Timestamp)>) -> Result<(), StoreError> {
        todo!()
    }
}
