//! Says whose a file is that cannot be opened: what root has restored, the server's user cannot read.

use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// To be added to an error: why this process may not open the first of these files that it may not open, and
/// what to do. Nothing if it may open all of them.
pub(crate) fn denied<P: AsRef<Path>>(files: &[P], to_write: bool) -> String {
    whose(files, to_write).map_or_else(String::new, |whose| format!(": {whose}"))
}

fn whose<P: AsRef<Path>>(files: &[P], to_write: bool) -> Option<String> {
    let refused = files.iter().map(P::as_ref).find(|path| {
        let opened = File::options().read(true).write(to_write).open(path);
        opened.is_err_and(|why| why.kind() == ErrorKind::PermissionDenied)
    })?;
    // Of a file in a folder that may not be entered, nothing can be said.
    refused
        .ancestors()
        .find_map(|path| fs::metadata(path).ok().map(|about| words(path, &about)))
}

fn words(path: &Path, about: &Metadata) -> String {
    let place = path.display();
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    format!(
        "{place} belongs to user {} and group {} with mode {:04o}, and this process is user {user} and group {group}: \
         give it to the user that the server runs as (chown {user}:{group} {place}), or run this as that user",
        about.uid(),
        about.gid(),
        about.permissions().mode() & 0o7777,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_opened_is_not_denied_and_the_words_name_owner_mode_and_the_way_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(denied(&[file.path(), Path::new("/absent")], true), "");
        let about = fs::metadata(file.path()).unwrap();
        let words = words(file.path(), &about);
        for part in [&format!("user {}", about.uid()), "mode 0600", "chown "] {
            assert!(words.contains(part), "{part} in {words}");
        }
    }
}
