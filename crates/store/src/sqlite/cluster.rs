//! A SQLite file has one server, which is the only node there is.

use async_trait::async_trait;

use super::SqliteStore;
use crate::{Cluster, Ear, Node, NodeLoad, StoreError};

#[async_trait]
impl Cluster for SqliteStore {
    /// Nobody else changes anything.
    fn hear(&self, _ear: Ear) {}

    fn slot(&self) -> u16 {
        0
    }

    fn may_send(&self) -> bool {
        true
    }

    fn may_accept(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn report(&self, _load: NodeLoad) {}

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        Ok(Vec::new())
    }

    async fn leave(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
