//! Copies a database file page by page, in one view of it, while another process writes to it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use tempfile::NamedTempFile;

/// How many pages are copied at a time, and how long the disk is left to others in between.
const PAGES: i32 = 512;
const PAUSE: Duration = Duration::from_millis(2);
/// The longest that another process may keep us from reading.
const PATIENCE: Duration = Duration::from_secs(10);

/// Copies `from` to `to`, which must not exist: it appears there when it is complete, on disk and sound.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    ensure!(from.is_file(), "there is no store");
    if to.symlink_metadata().is_ok() {
        bail!("that file exists already");
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // In the same folder, so that it can be given its name; nobody else can read it.
    let partial = NamedTempFile::new_in(folder).context("cannot write there")?;
    fill(from, partial.path())?;
    check(partial.path())?;
    partial.as_file().sync_all()?;
    partial.persist_noclobber(to)?;
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}

fn fill(from: &Path, partial: &Path) -> rusqlite::Result<()> {
    let source = read_only(from)?;
    // While this transaction is open the source looks as it did when it began, so writes neither get
    // into the copy nor make it begin anew.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
    let mut target = Connection::open(partial)?;
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    Backup::new(&source, &mut target)?.run_to_completion(PAGES, PAUSE, None)?;
    target.close().map_err(|(_, why)| why)
}

fn check(partial: &Path) -> anyhow::Result<()> {
    let copy = Connection::open(partial)?;
    // A file of its own, without a log beside it.
    copy.execute_batch("PRAGMA journal_mode = DELETE;")?;
    let found: String = copy.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    ensure!(found == "ok", "the store is damaged: {found}");
    Ok(())
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(path, flags)?;
    source.busy_timeout(PATIENCE)?;
    Ok(source)
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
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            4,
            "nothing is left over"
        );
    }

    #[test]
    fn a_file_that_exists_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
        let _writer = database(&from);
        std::fs::write(&to, "precious").unwrap();
        assert!(copy(&from, &to).is_err());
        assert_eq!(std::fs::read(&to).unwrap(), b"precious");
        assert!(copy(&folder.path().join("none.db"), &folder.path().join("x.db")).is_err());
    }
}
