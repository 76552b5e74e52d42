//! Answers that are given again when a request is repeated.

use super::PostgresStore;
use crate::StoreError;
use crate::*;
use async_trait::async_trait;
use bytes::Bytes;
use ringbolt_model::Timestamp;

#[async_trait]
impl Answers for PostgresStore {
    async fn kept_answer(
        &self,
        key: [u8; 16],
        now: Timestamp,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        todo!()
    }
    async fn keep_answer(
        &self,
        key: [u8; 16],
        answer: KeptAnswer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        todo!()
    }
}
