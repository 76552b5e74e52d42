//! Copies the store while it serves, in this process or another: one view of it, page by page.

pub(super) mod partial;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use tempfile::NamedTempFile;

use super::open;
use crate::StoreError;

/// How many pages are copied at a time, and how long the disk is left to others in between.
const PAGES: i32 = 512;
const PAUSE: Duration = Duration::from_millis(2);

/// Copies the database at `from`, which others may write to meanwhile, to a file at `to`, which must not
/// exist. It appears there when it is complete, sound and on disk.
///
/// # Errors
/// `NotFound` without a database, `Conflict` if there is a file at `to`, `Unreadable` if the database is
/// damaged; otherwise the disk's.
pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    if !from.is_file() {
        return Err(StoreError::NotFound);
    }
    if to.symlink_metadata().is_ok() {
        return Err(StoreError::Conflict("path"));
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    partial::remove_abandoned(folder);
    let partial = partial::create(folder).map_err(|error| unavailable(folder, &error))?;
    fill(from, partial.path()).map_err(fault)?;
    check(partial.path())?;
    place(partial, to)?;
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| unavailable(folder, &error))
}

fn fill(from: &Path, partial: &Path) -> rusqlite::Result<()> {
    let source = open::reader(from)?;
    // As long as this transaction is open, the connection sees the store as it was when it began, so
    // that writes neither get into the copy nor make it begin anew.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
    let mut target = Connection::open(partial)?;
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    Backup::new(&source, &mut target)?.run_to_completion(PAGES, PAUSE, None)?;
    target.close().map_err(|(_, error)| error)
}

fn check(partial: &Path) -> Result<(), StoreError> {
    let copy = Connection::open(partial).map_err(fault)?;
    // A file of its own, without a log beside it.
    copy.execute_batch("PRAGMA journal_mode = DELETE;")
        .map_err(fault)?;
    let found: String = copy
        .query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
        .map_err(fault)?;
    if found == "ok" {
        return Ok(());
    }
    Err(StoreError::Unreadable(found))
}

/// Gives the complete file its name, unless another file has it by now.
fn place(partial: NamedTempFile, to: &Path) -> Result<(), StoreError> {
    let synced = partial.as_file().sync_all();
    synced.map_err(|error| unavailable(to, &error))?;
    let placed = partial.persist_noclobber(to).map_err(|failed| failed.error);
    placed.map(drop).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Conflict("path"),
        _ => unavailable(to, &error),
    })
}

fn fault(error: rusqlite::Error) -> StoreError {
    super::Fault::from(error).into()
}

fn unavailable(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Unavailable(format!("{}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(path: &Path) -> Connection {
        let made = Connection::open(path).unwrap();
        let schema = "PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1);";
        made.execute_batch(schema).unwrap();
        made
    }

    fn rows(path: &Path) -> i64 {
        let copy = Connection::open(path).unwrap();
        copy.query_row("SELECT count(*) FROM t", (), |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn a_copy_has_what_is_only_in_the_log_yet() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
        let writer = database(&from);
        copy(&from, &to).unwrap();
        writer.execute_batch("INSERT INTO t VALUES (2);").unwrap();
        assert_eq!((rows(&to), rows(&from)), (1, 2));
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 4, "nothing is left over");
    }

    #[test]
    fn what_is_missing_or_damaged_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
        assert_eq!(copy(&from, &to), Err(StoreError::NotFound));
        let made = Connection::open(&from).unwrap();
        made.execute_batch("CREATE TABLE t (n UNIQUE); INSERT INTO t VALUES (1), (2);")
            .unwrap();
        made.close().unwrap();
        let mut bytes = std::fs::read(&from).unwrap();
        let second_page = 4096..8192;
        bytes[second_page].fill(0xff);
        std::fs::write(&from, bytes).unwrap();
        let refused = copy(&from, &to);
        assert!(
            matches!(refused, Err(StoreError::Unreadable(_))),
            "{refused:?}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
