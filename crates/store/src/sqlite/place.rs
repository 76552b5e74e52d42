//! Whether the database file and its log are still where they were opened.
//!
//! A file that was moved or removed can be written as before, and nobody finds what was written there.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// So many links are followed from one to the next (as by Linux: path_resolution(7)).
const LINKS: usize = 40;

/// The file, and where it belongs.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

impl Place {
    /// The place of a file that was opened there.
    pub(super) fn of(path: PathBuf, file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        let file = (about.dev(), about.ino());
        Ok(Self { path, file })
    }

    /// The place of the file that is there now.
    pub(super) fn now(path: PathBuf) -> io::Result<Self> {
        let about = fs::metadata(&path)?;
        let file = (about.dev(), about.ino());
        Ok(Self { path, file })
    }

    /// Whether the file is still there, and not another one.
    pub(super) fn holds(&self) -> bool {
        let there = fs::metadata(&self.path).map(|about| (about.dev(), about.ino()));
        there.is_ok_and(|there| there == self.file)
    }
}

/// The file that a path leads to, which may be that of a symbolic link to nothing yet: SQLite keeps the log beside
/// the database itself, not beside a link to it.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        let Ok(to) = fs::read_link(&at) else { break };
        at = at.parent().unwrap_or(Path::new("")).join(to);
    }
    at
}

/// Where the log of a database is.
pub(super) fn log_of(database: &Path) -> PathBuf {
    let mut path = resolved(database).into_os_string();
    path.push("-wal");
    path.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_log_is_beside_the_database_itself() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink(at("second"), at("first")).unwrap();
        symlink("volume/store.db", at("second")).unwrap();
        assert_eq!(log_of(&at("first")), at("volume/store.db-wal"));
        assert_eq!(log_of(&at("other.db")), at("other.db-wal"));
        symlink("round", at("round")).unwrap();
        assert_eq!(log_of(&at("round")), at("round-wal"));
    }
}
