//! Checks of the place where the server is to live; nothing is changed by them.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::time::Instant;

use super::Finding;
use crate::config::Config;
use crate::first_start::{KEY_FILE, TOKEN_FILE};
use crate::running::server_runs_on;

/// How often a write is brought to disk, to see how long that takes.
const SYNCS: usize = 9;

/// Whether the store is there, ours to write, and in use.
pub(super) fn store(config: &Config) -> Finding {
    let path = config.store_path();
    let place = path.display();
    if !path.exists() {
        return Finding::Good(format!("{place} will be made at the first start"));
    }
    if let Err(why) = File::options().read(true).write(true).open(path) {
        return Finding::Bad(format!("{place} cannot be opened: {why}"));
    }
    let files = [
        path.to_owned(),
        beside(config, KEY_FILE),
        beside(config, TOKEN_FILE),
    ];
    if let Some(open) = files.iter().find(|file| is_open_to_others(file)) {
        let open = open.display();
        return Finding::Doubtful(format!("others on this machine can read {open}: chmod 600"));
    }
    if config.general.encryption_key.is_none() && !beside(config, KEY_FILE).exists() {
        let key = beside(config, KEY_FILE);
        return Finding::Bad(format!(
            "{place} has no encryption key: put {} back",
            key.display()
        ));
    }
    let in_use = if server_runs_on(path) {
        "a server is running on it"
    } else {
        "no server uses it"
    };
    Finding::Good(format!("{place}; {in_use}"))
}

fn beside(config: &Config, name: &str) -> PathBuf {
    config.data_folder().join(name)
}

fn is_open_to_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

/// Whether the folder can be written, and how long a write takes to be on disk: every message waits
/// for that.
pub(super) fn disk(config: &Config) -> Finding {
    let folder = nearest_folder(config.data_folder());
    match time_of_sync(&folder) {
        Ok(micros) if micros > 20_000 => Finding::Doubtful(format!(
            "a write to {} is on disk after {} ms; every message waits for one",
            folder.display(),
            micros / 1000,
        )),
        Ok(micros) => Finding::Good(format!(
            "a write to {} is on disk after {}.{} ms",
            folder.display(),
            micros / 1000,
            micros % 1000 / 100,
        )),
        Err(why) => Finding::Bad(format!("{} cannot be written: {why:#}", folder.display())),
    }
}

/// The folder, or the one that it would be made in.
fn nearest_folder(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|folder| folder.is_dir());
    there.unwrap_or(Path::new(".")).to_owned()
}

/// The median in microseconds.
fn time_of_sync(folder: &Path) -> anyhow::Result<u128> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[0; 4096]).and_then(|()| file.sync_data())?;
        times.push(began.elapsed().as_micros());
    }
    times.sort_unstable();
    times.get(SYNCS / 2).copied().context("no time was taken")
}

/// Whether the address can be listened on.
pub(super) fn address(config: &Config) -> Finding {
    let address = config.general.listen;
    match TcpListener::bind(address) {
        Ok(_) => Finding::Good(format!("{address} is free")),
        Err(_) if server_runs_on(config.store_path()) => {
            Finding::Good(format!("{address} is taken, and a server is running"))
        }
        Err(why) => Finding::Bad(format!("{address} cannot be listened on: {why}")),
    }
}
