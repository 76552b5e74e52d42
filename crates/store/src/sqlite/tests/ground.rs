//! A store in a folder of its own that goes with it.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use crate::conformance::{Ground, StillClock};
use crate::sqlite::faults::Faults;
use crate::{SqliteSettings, SqliteStore, Store};

/// The key of every store in tests.
pub(crate) const KEY: [u8; 32] = [5; 32];

/// A store in a folder of its own.
pub(crate) struct TempStore {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) faults: Faults,
    pub(crate) folder: Arc<TempDir>,
}

impl TempStore {
    /// A new one.
    pub(crate) fn new() -> Self {
        Self::in_folder(TempDir::new().unwrap(), Faults::default())
    }

    fn in_folder(folder: TempDir, faults: Faults) -> Self {
        let path = folder.path().join("store.db");
        let settings = SqliteSettings {
            faults: faults.clone(),
            ..settings(path)
        };
        let store = Arc::new(SqliteStore::open(settings).unwrap());
        Self {
            store,
            faults,
            folder: Arc::new(folder),
        }
    }
}

/// Settings with small bounds.
pub(crate) fn settings(path: PathBuf) -> SqliteSettings {
    SqliteSettings {
        max_endpoints_per_app: 20,
        accept_queue: 200,
        ..SqliteSettings::new(path, vec![KEY], Arc::new(StillClock))
    }
}

impl Ground for TempStore {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn after_crash(&self) -> Box<dyn Ground> {
        let folder = TempDir::new().unwrap();
        for name in ["store.db", "store.db-wal"] {
            let (from, to) = (self.folder.path().join(name), folder.path().join(name));
            if from.exists() {
                // Another process copies: closing a descriptor of the file here would drop the
                // locks that this process holds on it.
                let done = std::process::Command::new("cp")
                    .args([from, to])
                    .status()
                    .unwrap();
                assert!(done.success());
            }
        }
        Box::new(Self::in_folder(folder, self.faults.clone()))
    }
}
