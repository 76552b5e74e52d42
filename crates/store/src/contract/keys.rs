//! API keys.

use async_trait::async_trait;
use ringbolt_model::{ApiKey, AppId, KeyId, Timestamp};

use super::{Listing, Page, StoreError};

/// How many keys end in one transaction.
pub const ENDED_AT_ONCE: usize = 500;

/// API keys, known by the hash of their token.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Stores a new key.
    async fn create_key(&self, key: ApiKey) -> Result<(), StoreError>;
    /// The key whose token has this SHA-256, working or not.
    async fn key_by_hash(&self, hash: [u8; 32]) -> Result<ApiKey, StoreError>;
    /// Keys, by id; of one application, or all. Expired and revoked ones are listed until they are
    /// tidied away.
    async fn keys(
        &self,
        app: Option<AppId>,
        page: Page<KeyId>,
    ) -> Result<Listing<ApiKey, KeyId>, StoreError>;
    /// Revokes a key; `NotFound` if there is none, nothing happens if it was revoked.
    async fn revoke_key(&self, key: KeyId, now: Timestamp) -> Result<(), StoreError>;
    /// Lets the portals' keys of an application end at `end`, unless they end before; of these sessions
    /// only, if any are named. Goes through at most [`ENDED_AT_ONCE`] of them, by id, beyond `after`, and
    /// says which; fewer are the last.
    async fn end_portals(
        &self,
        app: AppId,
        sessions: Vec<String>,
        end: Timestamp,
        after: Option<KeyId>,
    ) -> Result<Vec<KeyId>, StoreError>;
    /// Notes when keys were last used.
    async fn keys_used(&self, used: Vec<(KeyId, Timestamp)>) -> Result<(), StoreError>;
}
