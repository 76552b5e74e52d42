//! Checks of the store; nothing is changed by them, and a server that runs on it is not disturbed.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringbolt_model::{MessageId, Timestamp};
use ringbolt_store::{Inspection, OpenError, Soundness};

use super::Finding;
use crate::config::Config;
use crate::first_start::{self, KEY_FILE, TOKEN_FILE};
use crate::running::server_runs_on;

/// Whether a server could open it, and the time of the newest id in it.
pub(super) fn store(config: &Config, path: &Path) -> (Finding, Option<Timestamp>) {
    if !path.exists() {
        let place = path.display();
        return (
            Finding::Good(format!("{place} will be made at the first start")),
            None,
        );
    }
    match inspected(config, path) {
        Ok(found) => {
            let newest = (found.largest_id > 0).then(|| MessageId::from(found.largest_id).time());
            (usable(config, path, &found), newest)
        }
        Err(why) => (
            Finding::Bad(format!("{} cannot be used: {why}", path.display())),
            None,
        ),
    }
}

fn inspected(config: &Config, path: &Path) -> Result<Inspection, String> {
    File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|why| {
            format!("{why}: it has to belong to the user that the server runs as (chown, chmod)")
        })?;
    let key_file = beside(config, KEY_FILE);
    let keys = first_start::existing_keys(config).map_err(|why| format!("{why:#}"))?;
    let keys = keys
        .iter()
        .flat_map(|keys| keys.reveal())
        .map(|key| **key)
        .collect::<Vec<_>>();
    // A new file is opened by any key: the server makes one.
    let new = std::fs::metadata(path).is_ok_and(|file| file.len() == 0);
    let keys = if keys.is_empty() && new {
        vec![[0; 32]]
    } else {
        keys
    };
    ringbolt_store::inspect(path, &keys).map_err(|why| {
        let way_out = way_out(&why, &key_file);
        format!("{why}: {way_out}")
    })
}

/// The longest that is spent on looking at every page.
const LOOK: Duration = Duration::from_secs(10);

/// Whether the pages of the file hang together; one that a server has open is left alone.
pub(super) fn pages(path: &Path) -> Finding {
    if std::fs::metadata(path).map_or(true, |file| file.len() == 0) {
        return Finding::Good("not looked at: there are none yet".into());
    }
    if server_runs_on(path) {
        return Finding::Good("not looked at: a server is running on them".into());
    }
    match ringbolt_store::check_pages(path, LOOK) {
        Ok(Soundness::Sound) => {
            Finding::Good("all of the database's were looked at and are sound".into())
        }
        Ok(Soundness::Unfinished) => Finding::Good(format!(
            "not all looked at within {} s; `ringbolt backup` looks at all of its copy",
            LOOK.as_secs()
        )),
        Ok(Soundness::Damaged(found)) => Finding::Bad(format!(
            "the database is damaged: {found}; restore a backup"
        )),
        // Why it cannot be read was told.
        Err(_) => Finding::Good("not looked at: the store cannot be used".into()),
    }
}

/// What to do about a file that a server would refuse.
fn way_out(why: &OpenError, key_file: &Path) -> String {
    match why {
        OpenError::Missing(_) => {
            "put the database back beside its log, or move the log away if it is to be lost".into()
        }
        OpenError::ForeignLog(_) => {
            "the newest messages are in the copy, as far as they were when it was made".into()
        }
        OpenError::Unfinished(_) => "put a copy that was finished there".into(),
        OpenError::NotOurs => "name another file (RINGBOLT_STORE), or move this one away".into(),
        OpenError::Newer { .. } => "or restore a backup of the older one".into(),
        OpenError::Changed { .. } => "run the version that made it, or restore a backup".into(),
        OpenError::NoKey | OpenError::WrongKey => format!(
            "put the key that it was made with back as {}, or set RINGBOLT_ENCRYPTION_KEY",
            key_file.display(),
        ),
        _ => "look at the disk and the folder's permissions, then restore a backup".into(),
    }
}

fn usable(config: &Config, path: &Path, found: &Inspection) -> Finding {
    let files = [
        path.to_owned(),
        beside(config, KEY_FILE),
        beside(config, TOKEN_FILE),
    ];
    if let Some(open) = files.iter().find(|file| is_open_to_others(file)) {
        let open = open.display();
        return Finding::Doubtful(format!("others on this machine can read {open}: chmod 600"));
    }
    let in_use = if server_runs_on(path) {
        "a server is running on it"
    } else {
        "no server uses it"
    };
    let schema = match found.steps_to_apply {
        0 => "",
        _ => "; the next start brings its schema up to date: make a backup before",
    };
    Finding::Good(format!("{}; {in_use}{schema}", path.display()))
}

fn beside(config: &Config, name: &str) -> PathBuf {
    config.data_folder().join(name)
}

fn is_open_to_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}
