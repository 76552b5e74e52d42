//! Keeping the database in order.

use super::PostgresStore;
use crate::StoreError;
use crate::*;
use async_trait::async_trait;
use ringbolt_model::Timestamp;
use std::path::PathBuf;

#[async_trait]
impl Upkeep for PostgresStore {
    async fn tidy(&self, now: Timestamp) -> Result<Tidied, StoreError> {
        todo!()
    }
    async fn largest_id(&self) -> Result<u64, StoreError> {
        todo!()
    }
    async fn backup(&self, to: PathBuf) -> Result<(), StoreError> {
        todo!()
    }
    fn health(&self) -> Health {
        todo!()
    }
    fn sizes(&self) -> Sizes {
        todo!()
    }
    fn workers(&self) -> Vec<Working> {
        todo!()
    }
    async fn reencrypt(&self) -> Result<usize, StoreError> {
        todo!()
    }
}
