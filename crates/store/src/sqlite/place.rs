//! Whether the database file is still where it was opened.
//!
//! A file that was moved or removed can be written as before, and nobody finds what was written there.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Fault;

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

    /// An error if the file is not there any more, or another one is.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let there = fs::metadata(&self.path).map(|about| (about.dev(), about.ino()));
        if there.is_ok_and(|there| there == self.file) {
            return Ok(());
        }
        Err(Fault::Moved)
    }
}
