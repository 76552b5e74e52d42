//! Idempotency keys: a request that is repeated within a day has the effect and the answer of one.

use async_trait::async_trait;
use bytes::Bytes;
use ringbolt_model::Timestamp;

use super::StoreError;

/// How long a key is remembered.
pub const KEPT: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// A key that a request came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Digest of the key with all that scopes it: who asked (application or token) and for which path.
    pub key: [u8; 16],
    /// Digest of the request's body: another body under the same key is refused.
    pub body: [u8; 16],
}

/// An answer that is given again when its request is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Digest of the request's body that it answered.
    pub body_digest: [u8; 16],
    /// The HTTP status.
    pub status: u16,
    /// The body of the answer, JSON. It may hold a secret, so it is encrypted at rest.
    pub answer: Bytes,
}

/// Answers to requests other than accepting a message (whose key is written with the message itself).
#[async_trait]
pub trait Answers: Send + Sync {
    /// The answer given under this key within the last day.
    async fn kept_answer(
        &self,
        key: [u8; 16],
        now: Timestamp,
    ) -> Result<Option<KeptAnswer>, StoreError>;
    /// Keeps an answer for a day.
    async fn keep_answer(
        &self,
        key: [u8; 16],
        answer: KeptAnswer,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
