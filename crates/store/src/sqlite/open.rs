//! Opens the database file: whose it is, who else has it open, how connections to it are set up.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::Clock;
use rusqlite::{Connection, OpenFlags};
use zeroize::Zeroizing;

use super::backup::partial::is_unfinished;
use super::fault::wants_space;
use super::migrations;
use super::place::{Place, log_of, resolved};
use crate::NodeName;
use crate::vault::Vault;

/// How a SQLite store is to be.
#[derive(Clone)]
pub struct SqliteSettings {
    /// The database file. Its folder must exist; `-wal`, `-shm` and `.lock` files appear beside it.
    pub path: PathBuf,
    /// The keys that encrypt at rest; the first encrypts, all decrypt. At least one.
    pub keys: Zeroizing<Vec<[u8; 32]>>,
    /// How long messages and what became of them are kept.
    pub retention: Duration,
    /// How many endpoints an application may have.
    pub max_endpoints_per_app: usize,
    /// How many messages may wait to be written.
    pub accept_queue: usize,
    /// How many bytes of payload may wait to be written.
    pub accept_queue_bytes: usize,
    /// How many connections read side by side.
    pub readers: usize,
    /// Who this node is, for people.
    pub node: NodeName,
    /// Where the store reads the time.
    pub clock: Arc<dyn Clock>,
    /// What goes wrong in tests.
    #[cfg(test)]
    pub(crate) faults: super::faults::Faults,
}

impl SqliteSettings {
    /// The defaults, for this file, these keys and this clock.
    #[must_use]
    pub fn new(path: PathBuf, keys: Vec<[u8; 32]>, clock: Arc<dyn Clock>) -> Self {
        Self {
            path,
            keys: Zeroizing::new(keys),
            retention: Duration::from_secs(30 * 86_400),
            max_endpoints_per_app: 10_000,
            accept_queue: 20_000,
            accept_queue_bytes: 64 << 20,
            readers: 3,
            node: NodeName::default(),
            clock,
            #[cfg(test)]
            faults: super::faults::Faults::default(),
        }
    }
}

impl std::fmt::Debug for SqliteSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteSettings")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has it open.
    #[error("{} is in use by another server", .0.display())]
    InUse(PathBuf),
    /// The file is no database, or that of another program.
    #[error("the file is not a Ringbolt database")]
    NotOurs,
    /// There is no database, but the log of one: SQLite would remove it, and what was committed there.
    #[error("{} is missing or empty, but its write-ahead log lies beside it: put the database back where its log is", .0.display())]
    Missing(PathBuf),
    /// The file is a copy that no server has opened yet, and the log beside it that of another database: SQLite would
    /// write old pages into it.
    #[error("{path} is a copy that no server has opened yet, and beside it lies the write-ahead log of another database, \
        which would damage it: remove {path}-wal and {path}-shm, then start", path = .0.display())]
    ForeignLog(PathBuf),
    /// The file is a copy whose making was ended before it was complete.
    #[error("{} is a copy that was not finished: remove it, and make another", .0.display())]
    Unfinished(PathBuf),
    /// A later version of the server has written it.
    #[error("the database has schema {found}, this server knows up to {known}: use a newer server")]
    Newer {
        /// The schema's number.
        found: usize,
        /// The last number that this server knows.
        known: usize,
    },
    /// The schema was made by other steps than those of this server.
    #[error("the database was made with another text of migration {migration}")]
    Changed {
        /// Which step differs.
        migration: &'static str,
    },
    /// No encryption key was given.
    #[error("no encryption key was given")]
    NoKey,
    /// What is stored was encrypted with a key that was not given.
    #[error("the database was encrypted with another key than those given")]
    WrongKey,
    /// There is no space for what it needs to open: try again when there is.
    #[error("the disk is full: there is no space to open {}", .0.display())]
    Full(PathBuf),
    /// The lock file could not be made.
    #[error("cannot lock {}: {error}", .path.display())]
    Lock {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// SQLite said no.
    #[error("cannot open the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl OpenError {
    /// Tells want of space from everything else.
    pub(super) fn or_full(self, path: &Path) -> Self {
        let full = match &self {
            Self::Lock { error, .. } => matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded
            ),
            Self::Sqlite(error) => wants_space(error),
            _ => false,
        };
        if full {
            Self::Full(path.to_owned())
        } else {
            self
        }
    }
}

/// `auto_vacuum` as SQLite numbers it: free pages are given back when it is asked to.
const INCREMENTAL: i64 = 2;

/// An error where the file is an unfinished copy, or a log lies beside a copy or a database that is not there. One is
/// begun only when its database has a first page.
pub(super) fn check_surroundings(path: &Path) -> Result<(), OpenError> {
    if is_unfinished(&resolved(path)) {
        return Err(OpenError::Unfinished(path.to_owned()));
    }
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |about| about.len());
    let log = log_of(path);
    if length(path) == 0 && length(&log) > 0 {
        return Err(OpenError::Missing(resolved(path)));
    }
    if length(&log) > 0 && has_never_had_a_log(path) {
        return Err(OpenError::ForeignLog(path.to_owned()));
    }
    Ok(())
}

/// Whether the header of a database says that it keeps no log (1 at the bytes 18 and 19; 2 is a log: SQLite's file
/// format, section 1.3.3). So it is in a copy that [`super::backup::copy`] has made. The server's writer sets it to 2
/// on disk before it begins a log, and never back.
fn has_never_had_a_log(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.starts_with(b"SQLite format 3\0") && header[18..20] == [1, 1]
}

/// Takes the locks that keep a second server away; they are held as long as the files are open. One is
/// beside the database, where tools look for it. The other is the database itself, which is the same
/// file under every link to it. (It is no lock of the kind that SQLite takes, and the file is never
/// closed before SQLite is done with it, so neither disturbs the other: fcntl(2), flock(2).)
pub(super) fn lock(path: &Path) -> Result<[File; 2], OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = lock_file(PathBuf::from(name), path)?;
    let file = lock_file(path.to_owned(), path)?;
    give(&beside, &file);
    Ok([beside, file])
}

/// Gives a file to the owner of another. Where root runs a command on a store of somebody else, who could
/// not open the lock that it leaves behind.
fn give(file: &File, owner: &File) {
    let owners = |file: &File| file.metadata().map(|about| (about.uid(), about.gid()));
    if let (Ok(has), Ok((uid, gid))) = (owners(file), owners(owner))
        && has != (uid, gid)
        && let Err(error) = fchown(file, Some(uid), Some(gid))
    {
        tracing::debug!(%error, "the lock file stays with its owner");
    }
}

/// Where the locked database file belongs.
pub(super) fn place(path: &Path, [_, file]: &[File; 2]) -> Result<Place, OpenError> {
    Place::of(path.to_owned(), file).map_err(|error| OpenError::Lock {
        path: path.to_owned(),
        error,
    })
}

fn lock_file(lock_path: PathBuf, path: &Path) -> Result<File, OpenError> {
    let failed = |error| OpenError::Lock {
        path: lock_path.clone(),
        error,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        // Whoever can open a file can hold its lock, and keep the server from starting.
        .mode(0o600)
        .open(&lock_path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The writing connection to a file whose schema is up to date afterwards.
pub(super) fn first_writer(path: &Path, now: i64) -> Result<Connection, OpenError> {
    let mut conn = Connection::open_with_flags(path, flags(false))?;
    migrations::check_file(&conn)?;
    set_up_writer(&conn)?;
    migrations::migrate(&mut conn, now)?;
    Ok(conn)
}

/// Another writing connection, after one has failed.
pub(super) fn writer(path: &Path) -> Result<Connection, rusqlite::Error> {
    let conn = Connection::open_with_flags(path, flags(false) & !OpenFlags::SQLITE_OPEN_CREATE)?;
    set_up_writer(&conn)?;
    Ok(conn)
}

/// A connection that only reads.
pub(crate) fn reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let conn = Connection::open_with_flags(path, flags(true))?;
    conn.execute_batch(
        "PRAGMA query_only = 1; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;",
    )?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// Whether what is stored was encrypted with one of these keys.
pub(super) fn check_key(conn: &Connection, vault: &Vault) -> Result<(), OpenError> {
    let mut statement = conn.prepare("SELECT secrets FROM endpoint LIMIT 1")?;
    let mut rows = statement.query(())?;
    let Some(row) = rows.next()? else {
        return Ok(());
    };
    let sealed: Vec<u8> = row.get(0)?;
    if vault.knows(&sealed) {
        Ok(())
    } else {
        Err(OpenError::WrongKey)
    }
}

fn flags(read_only: bool) -> OpenFlags {
    let mode = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    // Each connection stays on one thread, so SQLite need not lock for it.
    mode | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn set_up_writer(conn: &Connection) -> Result<(), rusqlite::Error> {
    conn.busy_timeout(Duration::from_secs(5))?;
    // The order matters: auto_vacuum can be chosen only before the first page is written. Choosing it
    // again would write, and a start on a full disk must not need to.
    let vacuum: i64 = conn.query_row("PRAGMA auto_vacuum", (), |row| row.get(0))?;
    if vacuum != INCREMENTAL {
        conn.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
    }
    conn.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8192;
         PRAGMA secure_delete = FAST;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    conn.set_prepared_statement_cache_capacity(256);
    Ok(())
}
