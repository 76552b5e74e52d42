//! Checks of the place where the server is to live; nothing is changed by them.

use std::io::{self, ErrorKind, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::time::Instant;

use super::Finding;
use crate::config::Config;
use crate::running::server_runs_on;

/// How often a write is brought to disk, to see how long that takes.
const SYNCS: usize = 9;

/// With less than this a server stops to accept messages soon.
const NO_SPACE: u64 = 128 << 20;
/// With less than this somebody should look after it.
const LITTLE_SPACE: u64 = 1 << 30;

/// Whether the folder can be written, and how long a write takes to be on disk: every message waits
/// for that.
pub(super) fn disk(config: &Config) -> Finding {
    let folder = nearest_folder(config.data_folder());
    match time_of_sync(&folder) {
        Ok(micros) if micros > 20_000 => Finding::Doubtful(format!(
            "a write to {} is on disk after {} ms; every message waits for one: take a faster disk",
            folder.display(),
            micros / 1000,
        )),
        Ok(micros) => Finding::Good(format!(
            "a write to {} is on disk after {}.{} ms",
            folder.display(),
            micros / 1000,
            micros % 1000 / 100,
        )),
        Err(why) if is_full(&why) => Finding::Bad(format!(
            "{} cannot be written: {why:#}; make space: a full disk accepts nothing. Once a little is free, a shorter \
             retention.content or removing contents through the API makes more",
            folder.display(),
        )),
        Err(why) => Finding::Bad(format!(
            "{} cannot be written: {why:#}; the user that the server runs as has to own it (chown), or \
             name another place (RINGBOLT_STORE)",
            folder.display(),
        )),
    }
}

fn is_full(why: &anyhow::Error) -> bool {
    let kind = why.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(
        kind,
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
    )
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

/// Whether there is space on the disk.
pub(super) fn space(config: &Config) -> Finding {
    let folder = nearest_folder(config.data_folder());
    let place = folder.display();
    match rustix::fs::statvfs(&folder) {
        Ok(disk) => judge_space(
            &place.to_string(),
            disk.f_bavail.saturating_mul(disk.f_frsize),
        ),
        Err(why) => Finding::Doubtful(format!(
            "how much space {place} has is not known: {why}; see for yourself (df)"
        )),
    }
}

fn judge_space(place: &str, free: u64) -> Finding {
    let free_mib = free >> 20;
    let said = format!("{free_mib} MiB are free in {place}");
    let way_out = "make space, or shorten retention.content; a full disk accepts nothing";
    if free < NO_SPACE {
        Finding::Bad(format!("{said}: {way_out}"))
    } else if free < LITTLE_SPACE {
        Finding::Doubtful(format!("{said}: {way_out}"))
    } else {
        Finding::Good(said)
    }
}

/// Whether the address can be listened on.
pub(super) fn address(config: &Config) -> Finding {
    let address = config.general.listen;
    match TcpListener::bind(address) {
        Ok(_) => Finding::Good(format!("{address} is free")),
        Err(_) if config.store_file().is_some_and(server_runs_on) => {
            Finding::Good(format!("{address} is taken, and a server is running"))
        }
        Err(why) => Finding::Bad(format!(
            "{address} cannot be listened on: {why}; end what is there, or set RINGBOLT_LISTEN"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_space_is_said_before_there_is_none() {
        assert!(matches!(judge_space("/x", 50 << 20), Finding::Bad(_)));
        assert!(matches!(judge_space("/x", 500 << 20), Finding::Doubtful(_)));
        assert!(matches!(judge_space("/x", 5 << 30), Finding::Good(_)));
    }
}
