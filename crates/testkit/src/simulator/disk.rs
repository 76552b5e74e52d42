//! The store, with the folder it is in, and how it is taken through a crash.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ringbolt_store::{Journal as _, Receipt, SqliteSettings, SqliteStore, Write};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::MockClock;

const FILE: &str = "ringbolt.db";
/// What is left of a database when its process ends without a word.
const LEFT: [&str; 2] = ["ringbolt.db", "ringbolt.db-wal"];
/// Where files are in memory: the disk's speed is not what is looked at.
const MEMORY: &str = "/dev/shm";
/// How long a commit may take. It takes milliseconds; whoever waits so long waits in vain.
const LONGEST_COMMIT: Duration = Duration::from_secs(60);

/// The store.
pub(super) struct Disk {
    pub(super) store: SqliteStore,
    receipts: Receiver<Vec<Receipt>>,
    runtime: Runtime,
    clock: Arc<MockClock>,
    folder: TempDir,
}

impl Disk {
    /// An empty store.
    pub(super) fn new(clock: Arc<MockClock>) -> Self {
        Self::open(folder(), clock)
    }

    fn open(folder: TempDir, clock: Arc<MockClock>) -> Self {
        let path = folder.path().join(FILE);
        let settings = SqliteSettings {
            readers: 1,
            ..SqliteSettings::new(path, vec![[7; 32]], clock.clone())
        };
        let store = SqliteStore::open(settings).expect("the store opens");
        let (sender, receipts) = channel();
        store.listen(Box::new(move |batch| {
            // Whoever waits for receipts may have gone: nobody wants these any more.
            let _gone = sender.send(batch);
        }));
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        Self {
            store,
            receipts,
            runtime,
            clock,
            folder,
        }
    }

    /// Waits for an answer of the store.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// Writes all of these, and returns their receipts: outcomes and spills first, then messages, each
    /// in order. (How many transactions it took depends on the machine.)
    pub(super) fn write(&self, writes: Vec<Write>) -> Vec<Receipt> {
        let count = writes.len();
        for write in writes {
            self.store.submit(write).expect("the queue has room");
        }
        let mut receipts = Vec::with_capacity(count);
        while receipts.len() < count {
            let batch = self.receipts.recv_timeout(LONGEST_COMMIT);
            receipts.extend(batch.expect("the store answers"));
        }
        let (accepts, settles): (Vec<_>, Vec<_>) = receipts
            .into_iter()
            .partition(|receipt| matches!(receipt, Receipt::Accept(..)));
        settles.into_iter().chain(accepts).collect()
    }

    /// The store as the next process finds it, after a crash of this one.
    pub(super) fn crashed(&self) -> Self {
        let folder = folder();
        for name in LEFT {
            copy(self.folder.path(), folder.path(), name);
        }
        Self::open(folder, self.clock.clone())
    }

    /// The store as the next process finds it, after this one has closed it.
    pub(super) fn closed(self) -> Self {
        let Self {
            store,
            clock,
            folder,
            ..
        } = self;
        store.close();
        drop(store);
        Self::open(folder, clock)
    }
}

fn folder() -> TempDir {
    tempfile::tempdir_in(MEMORY)
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary folder")
}

fn copy(from: &Path, to: &Path, name: &str) {
    if from.join(name).exists() {
        std::fs::copy(from.join(name), to.join(name)).expect("the file can be copied");
    }
}
