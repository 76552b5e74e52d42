//! The contract on SQLite: one thread writes, a few read.

mod accept;
mod activity;
mod answers;
mod backup;
mod catalogue;
mod cluster;
mod column;
mod counts;
mod deliveries;
mod delivery_row;
mod fault;
#[cfg(test)]
pub(crate) mod faults;
mod fold;
mod inspect;
mod journal;
mod keys;
mod log;
mod marks;
mod migrations;
mod open;
mod outcome;
mod place;
#[cfg(test)]
mod plans;
mod queue;
mod readers;
mod recent_keys;
mod reencrypt;
mod retention;
#[cfg(test)]
pub(crate) mod tests;
mod upkeep;
mod writer;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use ringbolt_model::{Clock, MessageId};
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use crate::StoreError;
use crate::vault::Vault;
pub use backup::copy;
pub(crate) use fault::{Fault, conflict};
pub use inspect::{
    Inspection, KeysInUse, Soundness, check_pages, inspect, keys_in_use, refuse_foreign,
};
pub use open::{OpenError, SqliteSettings};
use queue::Call;
use readers::Readers;
use writer::{Shared, Writer};

/// How many calls may wait for the writer; more wait for those.
const WRITES_WAITING: usize = 256;

/// A store in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    /// Where the file is.
    pub(crate) path: PathBuf,
    /// What it was opened with, less the keys.
    pub(crate) settings: SqliteSettings,
    /// Seals and opens what is encrypted at rest.
    pub(crate) vault: Arc<Vault>,
    /// What the writer's thread and the callers share.
    pub(crate) shared: Arc<Shared>,
    /// Where the walks of tidying are.
    tidying: Arc<upkeep::Tidying>,
    /// The last message whose open mark an earlier process has left behind.
    inherited: MessageId,
    readers: Readers,
    waiting: Semaphore,
    /// What is told of the only node that it has.
    alone: cluster::Alone,
    thread: Mutex<Option<JoinHandle<()>>>,
    _lock: Arc<[File; 2]>,
}

impl SqliteStore {
    /// Opens the file, or makes it, and brings its schema up to date.
    ///
    /// # Errors
    /// If another server has it open, it is not ours, newer, damaged, or cannot be read or written.
    pub fn open(settings: SqliteSettings) -> Result<Self, OpenError> {
        let path = settings.path.clone();
        Self::open_there(settings).map_err(|error| error.or_full(&path))
    }

    fn open_there(mut settings: SqliteSettings) -> Result<Self, OpenError> {
        let vault = Arc::new(Vault::new(&settings.keys).ok_or(OpenError::NoKey)?);
        settings.keys = zeroize::Zeroizing::new(Vec::new());
        let path = settings.path.clone();
        open::check_surroundings(&path)?;
        let lock = Arc::new(open::lock(&path)?);
        let conn = open::first_writer(&path, settings.clock.now().as_micros())?;
        open::check_key(&conn, &vault)?;
        let inherited = marks::last(&conn)?;
        let place = open::place(&path, &lock)?;
        let shared = Arc::new(Shared::new(&settings, place));
        let alone = cluster::Alone::since(settings.clock.now());
        let readers = Readers::start(&path, settings.readers)?;
        let thread = Writer::start(conn, Arc::clone(&shared), Arc::clone(&lock))?;
        Ok(Self {
            path,
            settings,
            vault,
            shared,
            tidying: Arc::default(),
            inherited,
            readers,
            waiting: Semaphore::new(WRITES_WAITING),
            alone,
            thread: Mutex::new(Some(thread)),
            _lock: lock,
        })
    }

    /// Writes what is queued, copies the log into the database and stops. Blocks until that is done.
    /// What is asked of the store afterwards is answered as unavailable.
    pub fn close(&self) {
        self.shared.queue.close();
        // Whoever listens may hold the last reference, and then this runs on the writer's own thread.
        if let Some(thread) = self.thread.lock().take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer has panicked");
        }
        self.readers.close();
    }

    /// Reads in one consistent view, on one of the readers' threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(work).await
    }

    /// Writes within the next transaction, in a savepoint of its own: an error undoes what the work
    /// did and nothing else. Returns when the transaction is on disk.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Unavailable("the store is closed".into());
        let _permit = self.waiting.acquire().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        self.shared.queue.call(Box::new(Call::new(work, answer)));
        answered.await.map_err(|_| closed())?
    }

    /// Where it reads the time.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.settings.clock
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}
