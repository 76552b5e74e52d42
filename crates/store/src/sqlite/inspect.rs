//! Looks at a database file without changing anything, and without disturbing whoever has it open.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::migrations;
use super::open::{self, OpenError};
use super::place::log_of;
use super::upkeep::LARGEST;
use crate::vault::Vault;

/// What a file holds that a server can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    /// How many steps of the schema the next start applies.
    pub steps_to_apply: usize,
    /// The largest id in it; 0 if there is none.
    pub largest_id: u64,
}

/// Reads whose file it is, which schema it has, and whether these keys open its secrets.
///
/// # Errors
/// Those with which a server would refuse it, but that another has it open.
pub fn inspect(path: &Path, keys: &[[u8; 32]]) -> Result<Inspection, OpenError> {
    let vault = Vault::new(keys).ok_or(OpenError::NoKey)?;
    open::check_surroundings(path)?;
    let conn = connection(path)?;
    migrations::check_file(&conn)?;
    let applied = migrations::applied(&conn)?;
    let steps_to_apply = migrations::steps_to_apply(&applied)?;
    if applied.is_empty() {
        return Ok(Inspection {
            steps_to_apply,
            largest_id: 0,
        });
    }
    open::check_key(&conn, &vault)?;
    let largest: i64 = conn.query_row(LARGEST, (), |row| row.get(0))?;
    Ok(Inspection {
        steps_to_apply,
        largest_id: largest.cast_unsigned(),
    })
}

/// Refuses a file that no server opens, so that nothing need be made beside it to find that out. One
/// that is missing or empty is a store yet to be made; what else may be wrong with it, opening it says.
///
/// # Errors
/// If the file is that of another program, or missing while its log is there.
pub fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    open::check_surroundings(path)?;
    let checked = connection(path).map_err(OpenError::from);
    match checked.and_then(|conn| migrations::check_file(&conn)) {
        Err(OpenError::NotOurs) => Err(OpenError::NotOurs),
        _ => Ok(()),
    }
}

/// What looking at every page of a file has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Soundness {
    /// They hang together.
    Sound,
    /// They do not, for this reason.
    Damaged(String),
    /// It took longer than it may.
    Unfinished,
}

/// Looks at every page of a file that no server has open, for `within` at most.
///
/// # Errors
/// If the file is not ours, or cannot be read.
pub fn check_pages(path: &Path, within: Duration) -> Result<Soundness, OpenError> {
    open::check_surroundings(path)?;
    let conn = connection(path)?;
    migrations::check_file(&conn)?;
    let stop = conn.get_interrupt_handle();
    let (looked, waits) = mpsc::channel::<()>();
    let found = std::thread::scope(|scope| {
        scope.spawn(move || {
            if waits.recv_timeout(within) == Err(RecvTimeoutError::Timeout) {
                stop.interrupt();
            }
        });
        let found = conn.query_row("PRAGMA quick_check(1)", (), |row| row.get::<_, String>(0));
        drop(looked);
        found
    });
    match found {
        Ok(found) if found == "ok" => Ok(Soundness::Sound),
        // The first line only says in which database.
        Ok(found) => Ok(Soundness::Damaged(
            found.lines().next_back().unwrap_or_default().to_owned(),
        )),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Ok(Soundness::Unfinished),
            Some(ErrorCode::DatabaseCorrupt) => Ok(Soundness::Damaged(error.to_string())),
            _ => Err(error.into()),
        },
    }
}

/// Which keys are needed to read what a file keeps secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysInUse {
    /// Of each key that was given, whether something was encrypted with it.
    pub given: Vec<bool>,
    /// Whether something was encrypted with a key that was not given.
    pub others: bool,
}

/// Reads which of these keys are needed for a file. It looks at every row that keeps a secret, so it is
/// meant for copies.
///
/// # Errors
/// If the file is not ours, or cannot be read.
pub fn keys_in_use(path: &Path, keys: &[[u8; 32]]) -> Result<KeysInUse, OpenError> {
    let conn = connection(path)?;
    migrations::check_file(&conn)?;
    let heads = if migrations::applied(&conn)?.is_empty() {
        Vec::new()
    } else {
        let mut found = conn.prepare(HEADS)?;
        let heads = found.query_map((), |row| row.get(0))?;
        heads.collect::<Result<Vec<Vec<u8>>, _>>()?
    };
    let ours: Vec<_> = keys.iter().map(Vault::head_of).collect();
    Ok(KeysInUse {
        given: ours
            .iter()
            .map(|own| heads.iter().any(|head| head == own))
            .collect(),
        others: heads.iter().any(|head| !ours.iter().any(|own| head == own)),
    })
}

/// What everything that is encrypted begins with: it tells by which key.
const HEADS: &str = "SELECT substr(secrets, 1, 5) FROM endpoint \
    UNION SELECT substr(headers, 1, 5) FROM endpoint \
    UNION SELECT substr(answer, 1, 5) FROM idempotency WHERE answer IS NOT NULL";

/// Where no log lies beside the file nobody has it open and everything is in it: it is read as one that
/// does not change, or else SQLite would make a log.
fn connection(path: &Path) -> Result<Connection, rusqlite::Error> {
    if log_of(path).exists() {
        return open::reader(path);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(address(path), flags)
}

/// The file as an address that SQLite reads: <https://www.sqlite.org/uri.html>.
fn address(path: &Path) -> String {
    let mut address = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => address.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            byte => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address.push_str("?immutable=1");
    address
}
