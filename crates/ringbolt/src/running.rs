//! Whether a server is running on a store.

use std::fs::{File, TryLockError};
use std::path::Path;

/// Whether one is: it holds a lock as long as it has the store open.
pub(crate) fn server_runs_on(store: &Path) -> bool {
    let mut lock = store.as_os_str().to_owned();
    lock.push(".lock");
    let Ok(file) = File::open(lock) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}
