//! The nodes.

use async_trait::async_trait;
use crate::*;
use super::PostgresStore;
use std::time::Duration;
use ringbolt_model::{AppId, EndpointId, KeyId, Timestamp};
use crate::{LaneWork, StoreError};

#[async_trait]
impl Cluster for PostgresStore {

    fn hear(&self, ear: Ear) {
        todo!()
    }
    fn slot(&self) -> u16 {
        todo!()
    }
    fn may_send(&self) -> bool {
        todo!()
    }
    fn may_accept(&self) -> Result<(), StoreError> {
        todo!()
    }
    fn report(&self, load: NodeLoad) {
        todo!()
    }
    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        todo!()
    }
    async fn leave(&self) -> Result<(), StoreError> {
        todo!()
    }

}
