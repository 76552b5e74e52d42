//! What the writer's thread and its callers share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use ringbolt_model::Clock;
use rusqlite::Connection;

use crate::meter::Meter;
use crate::sqlite::Fault;
use crate::sqlite::activity::Activity;
use crate::sqlite::fold::Watermarks;
use crate::sqlite::open::SqliteSettings;
use crate::sqlite::place::{self, Place};
use crate::sqlite::queue::Queue;
use crate::sqlite::recent_keys::RecentKeys;
use crate::{Health, Listener, StoreError, Unwritable};

/// What the writer's thread and its callers share.
pub(crate) struct Shared {
    pub(in crate::sqlite) queue: Queue,
    pub(in crate::sqlite) listener: OnceLock<Listener>,
    pub(in crate::sqlite) clock: Arc<dyn Clock>,
    pub(in crate::sqlite) path: PathBuf,
    /// Where the file has to be for what is written to be found.
    place: Place,
    /// Where its log has to be, while the writer has it open.
    log: Mutex<Option<Place>>,
    /// How far the tables by endpoint are folded.
    pub(in crate::sqlite) watermarks: Watermarks,
    /// The newest idempotency keys.
    pub(in crate::sqlite) recent_keys: RecentKeys,
    /// What the writer has done since start.
    pub(crate) meter: Meter,
    /// What the threads are doing.
    pub(in crate::sqlite) activity: Activity,
    trouble: Mutex<Option<(Unwritable, String)>>,
    troubled: AtomicBool,
    #[cfg(test)]
    faults: crate::sqlite::faults::Faults,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("meter", &self.meter)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(in crate::sqlite) fn new(settings: &SqliteSettings, place: Place) -> Self {
        Self {
            queue: Queue::new(settings.accept_queue, settings.accept_queue_bytes),
            listener: OnceLock::new(),
            clock: Arc::clone(&settings.clock),
            path: settings.path.clone(),
            place,
            log: Mutex::default(),
            watermarks: Watermarks::default(),
            recent_keys: RecentKeys::default(),
            meter: Meter::default(),
            activity: Activity::default(),
            trouble: Mutex::default(),
            troubled: AtomicBool::new(false),
            #[cfg(test)]
            faults: settings.faults.clone(),
        }
    }

    /// Notes where the log is that the writer has opened.
    pub(super) fn note_log(&self) {
        *self.log.lock() = Place::now(place::log_of(&self.path)).ok();
    }

    /// The writer has closed it: SQLite removes a log with the last connection to it.
    pub(super) fn forget_log(&self) {
        *self.log.lock() = None;
    }

    /// An error if the database or its log are not where they were opened: nobody would find what is written.
    pub(super) fn check_place(&self) -> Result<(), Fault> {
        if !self.place.holds() {
            return Err(Fault::Moved);
        }
        if self.log.lock().as_ref().is_some_and(|log| !log.holds()) {
            return Err(Fault::LogMoved);
        }
        Ok(())
    }

    /// How the writer is.
    pub(crate) fn health(&self) -> Health {
        let (reason, problem) = self.trouble.lock().clone().unzip();
        Health {
            writable: reason.is_none(),
            reason,
            problem,
        }
    }

    /// Notes why nothing can be written. It is logged when that begins, and when it is for another
    /// reason than before.
    pub(super) fn failed(&self, reason: Unwritable, error: &StoreError) {
        self.troubled.store(true, Relaxed);
        let before = self.trouble.lock().replace((reason, error.to_string()));
        if before.is_none_or(|(before, _)| before != reason) {
            tracing::error!(reason = reason.word(), %error, "the store cannot be written");
        }
    }

    pub(super) fn recovered(&self) {
        if self.troubled.swap(false, Relaxed) {
            *self.trouble.lock() = None;
            tracing::info!("the store can be written again");
        }
    }

    /// Begins a transaction.
    pub(super) fn begin(&self, conn: &Connection) -> Result<(), rusqlite::Error> {
        #[cfg(test)]
        self.faults.limit(conn)?;
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        self.watermarks.refresh(conn)
    }

    /// Commits it.
    #[cfg(test)]
    pub(super) fn commit(&self, conn: &Connection) -> Result<(), rusqlite::Error> {
        self.faults.commit(conn)
    }

    /// Commits it.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests order faults through it")]
    pub(super) fn commit(&self, conn: &Connection) -> Result<(), rusqlite::Error> {
        conn.prepare_cached("COMMIT")?.execute(()).map(|_| ())
    }
}
