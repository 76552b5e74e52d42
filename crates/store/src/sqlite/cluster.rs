//! A SQLite file has one server, which is the only node there is.

use async_trait::async_trait;
use parking_lot::Mutex;
use ringbolt_model::Timestamp;

use super::SqliteStore;
use crate::{Cluster, Ear, Node, NodeLoad, StoreError};

/// What is told of the only node.
#[derive(Debug)]
pub(super) struct Alone {
    started_at: Timestamp,
    load: Mutex<NodeLoad>,
}

impl Alone {
    pub(super) fn since(started_at: Timestamp) -> Self {
        Self {
            started_at,
            load: Mutex::default(),
        }
    }
}

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

    fn report(&self, load: NodeLoad) {
        *self.alone.load.lock() = load;
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let Alone { started_at, load } = &self.alone;
        let name = self.settings.node.clone();
        let only = Node {
            // Nobody counts starts; their times differ as well.
            incarnation: started_at.as_micros().unsigned_abs(),
            slot: self.slot(),
            name: name.name,
            address: name.address,
            version: name.version,
            started_at: *started_at,
            seen_at: self.clock().now(),
            lease_left: None,
            is_this: true,
            load: *load.lock(),
        };
        Ok(vec![only])
    }

    async fn leave(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::tests::settings;
    use crate::{NodeName, SqliteSettings};

    #[tokio::test]
    async fn the_only_node_says_who_it_is_and_what_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let name = NodeName {
            name: "here".into(),
            address: "http://here".into(),
            version: "1".into(),
        };
        let settings = SqliteSettings {
            node: name.clone(),
            ..settings(folder.path().join("store.db"))
        };
        let store = SqliteStore::open(settings).unwrap();
        let load = NodeLoad {
            lanes: 3,
            in_flight: 2,
            pending: 7,
        };
        store.report(load);
        let nodes = store.nodes().await.unwrap();
        let [only] = nodes.as_slice() else {
            panic!("{nodes:?}")
        };
        assert_eq!((&only.name, &only.address), (&name.name, &name.address));
        assert_eq!(only.load, load);
        assert!(only.is_this && only.lease_left.is_none());
        assert_eq!(only.started_at, only.seen_at, "the clock stands still");
    }
}
