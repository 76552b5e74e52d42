//! Encrypts anew, under the first key, what an older key encrypted.

use rusqlite::{Connection, params};

use super::Fault;
use super::answers;
use crate::encoding::{headers_place, secrets_place};
use crate::vault::Vault;

/// How many endpoints a step encrypts anew.
const ENDPOINTS: usize = 100;
/// How many idempotency keys a step looks at.
const KEYS: usize = 2_000;

pub(in crate::sqlite) const OLD_ENDPOINTS: &str = "SELECT id, secrets, headers FROM endpoint \
    WHERE id > ?1 AND (substr(secrets, 1, 5) <> ?2 OR substr(headers, 1, 5) <> ?2) \
    ORDER BY id LIMIT ?3";
pub(in crate::sqlite) const NEXT_ANSWERS: &str =
    "SELECT key, answer FROM idempotency WHERE key > ?1 ORDER BY key LIMIT ?2";

/// How far the walk has come: through endpoints first, then through kept answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sqlite) enum Place {
    Endpoints(i64),
    Answers(Vec<u8>),
    End,
}

impl Default for Place {
    fn default() -> Self {
        Self::Endpoints(i64::MIN)
    }
}

/// Encrypts the next few values anew; returns how many, and where the next step goes on.
pub(in crate::sqlite) fn step(
    tx: &Connection,
    vault: &Vault,
    place: &Place,
) -> Result<(usize, Place), Fault> {
    match place {
        Place::Endpoints(beyond) => endpoints(tx, vault, *beyond),
        Place::Answers(beyond) => kept_answers(tx, vault, beyond),
        Place::End => Ok((0, Place::End)),
    }
}

fn endpoints(tx: &Connection, vault: &Vault, beyond: i64) -> Result<(usize, Place), Fault> {
    let head = vault.current_head();
    let old = tx
        .prepare_cached(OLD_ENDPOINTS)?
        .query_map(params![beyond, head, ENDPOINTS as i64], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, Vec<u8>, Vec<u8>)>>>()?;
    let mut row =
        tx.prepare_cached("UPDATE endpoint SET secrets = ?2, headers = ?3 WHERE id = ?1")?;
    for (key, secrets, headers) in &old {
        let raw = key.to_be_bytes();
        let (secrets_at, headers_at) = (secrets_place(&raw), headers_place(&raw));
        let secrets = vault.seal(secrets_at, &vault.open(secrets_at, secrets)?)?;
        let headers = vault.seal(headers_at, &vault.open(headers_at, headers)?)?;
        row.execute(params![key, secrets, headers])?;
    }
    let next = match old.last() {
        Some((last, ..)) if old.len() == ENDPOINTS => Place::Endpoints(*last),
        _ => Place::Answers(Vec::new()),
    };
    Ok((old.len(), next))
}

fn kept_answers(tx: &Connection, vault: &Vault, beyond: &[u8]) -> Result<(usize, Place), Fault> {
    let found = tx
        .prepare_cached(NEXT_ANSWERS)?
        .query_map(params![beyond, KEYS as i64], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<Vec<(Vec<u8>, Option<Vec<u8>>)>>>()?;
    let mut row = tx.prepare_cached("UPDATE idempotency SET answer = ?2 WHERE key = ?1")?;
    let mut renewed = 0;
    for (key, sealed) in &found {
        let Some(sealed) = sealed.as_ref().filter(|sealed| !vault.is_current(sealed)) else {
            continue;
        };
        let at = answers::place(key);
        row.execute(params![key, vault.seal(at, &vault.open(at, sealed)?)?])?;
        renewed += 1;
    }
    let next = match found.last() {
        Some((last, _)) if found.len() == KEYS => Place::Answers(last.clone()),
        _ => Place::End,
    };
    Ok((renewed, next))
}
