//! What goes wrong on request, in tests only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use rusqlite::{Connection, Error, ffi};

/// Makes commits fail. Clones share what is ordered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    before: Arc<AtomicU32>,
    after: Arc<AtomicU32>,
    pages: Arc<AtomicU32>,
}

impl Faults {
    /// The next `count` commits fail without effect, as if the disk had refused the write.
    pub(crate) fn fail_commits(&self, count: u32) {
        self.before.store(count, SeqCst);
    }

    /// The next `count` commits report a failure although they are on disk, as a failed sync may.
    pub(crate) fn doubt_commits(&self, count: u32) {
        self.after.store(count, SeqCst);
    }

    /// The file grows no further than it is, as on a full disk, or as far as it likes.
    pub(crate) fn let_grow(&self, grow: bool) {
        self.pages
            .store(if grow { u32::MAX >> 2 } else { 1 }, SeqCst);
    }

    /// Sets how far the file may grow.
    pub(super) fn limit(&self, conn: &Connection) -> Result<(), Error> {
        match self.pages.load(SeqCst) {
            0 => Ok(()),
            pages => conn.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(())),
        }
    }

    /// Commits, unless a fault is due.
    pub(super) fn commit(&self, conn: &Connection) -> Result<(), Error> {
        if due(&self.before) {
            return Err(error());
        }
        conn.prepare_cached("COMMIT")?.execute(())?;
        if due(&self.after) {
            Err(error())
        } else {
            Ok(())
        }
    }
}

fn due(count: &AtomicU32) -> bool {
    count
        .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

fn error() -> Error {
    Error::SqliteFailure(
        ffi::Error::new(ffi::SQLITE_IOERR_FSYNC),
        Some("ordered by a test".into()),
    )
}
