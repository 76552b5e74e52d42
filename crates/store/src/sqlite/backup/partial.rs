//! A copy that is being made: how it is known, and what becomes of one whose maker was killed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// What its name begins with, as long as it is not complete.
const UNFINISHED: &str = ".ringbolt-backup-";

/// Whether a file is one by its name. A server that is started on it would take a part for the whole.
pub(in crate::sqlite) fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.as_encoded_bytes());
    name.is_some_and(|name| name.starts_with(UNFINISHED.as_bytes()))
}

/// Begins one, in the folder of the copy, so that it can be given its name; nobody else can read it. It is
/// locked as long as it is made.
pub(super) fn create(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let mut named = tempfile::Builder::new();
        let partial = named.prefix(UNFINISHED).tempfile_in(folder)?;
        // Before it was locked, another backup may have taken it for one that was abandoned.
        if partial.as_file().try_lock().is_ok() && partial.path().exists() {
            return Ok(partial);
        }
    }
}

/// Removes those in a folder that nobody makes any more. One that cannot be removed stands in nobody's way.
pub(super) fn remove_abandoned(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let abandoned =
            is_unfinished(&path) && File::open(&path).is_ok_and(|file| remove(&path, &file));
        if abandoned {
            tracing::info!(path = %path.display(), "removed what a backup that was ended had left");
        }
    }
}

fn remove(path: &Path, file: &File) -> bool {
    file.try_lock().is_ok() && fs::remove_file(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_made_stays_and_what_was_abandoned_goes() {
        let folder = tempfile::tempdir().unwrap();
        let made = create(folder.path()).unwrap();
        let (_, abandoned) = create(folder.path()).unwrap().keep().unwrap();
        let other = folder.path().join("ringbolt-backup-1.db");
        fs::write(&other, "mine").unwrap();
        assert!(is_unfinished(made.path()) && is_unfinished(&abandoned) && !is_unfinished(&other));
        remove_abandoned(folder.path());
        assert!(made.path().exists() && other.exists());
        assert!(!abandoned.exists());
    }
}
