//! The journal on SQLite: writes go into the writer's queue.

use super::SqliteStore;
use crate::{Journal, Listener, Write};

impl Journal for SqliteStore {
    fn submit(&self, write: Write) -> Result<(), Box<Write>> {
        debug_assert!(
            self.shared.listener.get().is_some(),
            "nobody listens for receipts"
        );
        self.shared.queue.submit(write)
    }

    fn listen(&self, listener: Listener) {
        let first = self.shared.listener.set(listener).is_ok();
        assert!(first, "the journal has one listener, set once");
    }
}
