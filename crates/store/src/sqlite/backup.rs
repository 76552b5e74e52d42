//! Copies the store while it serves: one view of it, page by page.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::open;
use crate::StoreError;

/// How many pages are copied at a time, and how long the disk is left to others in between.
const PAGES: i32 = 512;
const PAUSE: Duration = Duration::from_millis(2);

/// Copies the database at `from` to a file at `to`, which must not exist. It appears there when it is
/// complete and on disk.
pub(in crate::sqlite) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    if to.symlink_metadata().is_ok() {
        return Err(StoreError::Conflict("path"));
    }
    let partial = beside(to);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .map_err(|error| unavailable(&partial, &error))?;
    let copied = fill(from, &partial).and_then(|()| place(&partial, to));
    let removed = fs::remove_file(&partial);
    copied.and_then(|()| removed.map_err(|error| unavailable(&partial, &error)))
}

fn beside(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn fill(from: &Path, partial: &Path) -> Result<(), StoreError> {
    let source = open::reader(from).map_err(fault)?;
    // As long as this transaction is open, the connection sees the store as it was when it began, so
    // that writes neither get into the copy nor make it begin anew.
    source
        .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")
        .map_err(fault)?;
    let mut target = Connection::open(partial).map_err(fault)?;
    target
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        .map_err(fault)?;
    Backup::new(&source, &mut target)
        .and_then(|backup| backup.run_to_completion(PAGES, PAUSE, None))
        .map_err(fault)?;
    target.close().map_err(|(_, error)| fault(error))
}

/// Gives the complete file its name, unless another file has it by now.
fn place(partial: &Path, to: &Path) -> Result<(), StoreError> {
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
    sync(partial).map_err(|error| unavailable(partial, &error))?;
    fs::hard_link(partial, to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Conflict("path"),
        _ => unavailable(to, &error),
    })?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync(folder.unwrap_or(Path::new("."))).map_err(|error| unavailable(to, &error))
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
