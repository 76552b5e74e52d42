//! Encrypts anew, under the first key, what an older key encrypted.

use parking_lot::Mutex;
use tokio_postgres::Row;

use crate::encoding::{headers_place, secrets_place};
use crate::postgres::answers;
use crate::postgres::column::get;
use crate::postgres::link::{Link, params};
use crate::postgres::open::renew_check;
use crate::postgres::{Fault, PostgresStore};
use crate::vault::Vault;

/// How many endpoints a step looks at.
const ENDPOINTS: i64 = 500;
/// How many answers a step looks at.
const ANSWERS: i64 = 1_000;

pub(super) const OLD_ENDPOINTS: &str = "SELECT id, secrets, headers FROM endpoint \
    WHERE id > $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE";
pub(super) const NEXT_ANSWERS: &str =
    "SELECT key, answer FROM answer WHERE key > $1 ORDER BY key LIMIT $2 FOR NO KEY UPDATE";

/// How far the walk has come: through endpoints first, then through kept answers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Endpoints(i64),
    Answers(Vec<u8>),
    End,
}

/// Where the walk goes on.
#[derive(Debug)]
pub(in crate::postgres) struct Reencrypting(Mutex<Place>);

impl Default for Reencrypting {
    fn default() -> Self {
        Self(Mutex::new(Place::Endpoints(i64::MIN)))
    }
}

impl PostgresStore {
    /// Encrypts the next few values anew; returns how many, and nothing at the end of the walk.
    pub(super) async fn reencrypt_step(&self) -> Result<usize, Fault> {
        loop {
            let place = self.reencrypting.0.lock().clone();
            let mut client = self.client().await?;
            let transaction = client.transaction().await?;
            let link = self.within(&transaction);
            let (renewed, next) = step(link, &self.vault, &place).await?;
            let ended = next == Place::End;
            if ended {
                renew_check(link, &self.vault).await?;
            }
            transaction.commit().await?;
            *self.reencrypting.0.lock() = if ended {
                Place::Endpoints(i64::MIN)
            } else {
                next
            };
            if renewed > 0 || ended {
                return Ok(renewed);
            }
        }
    }
}

async fn step(link: Link<'_>, vault: &Vault, place: &Place) -> Result<(usize, Place), Fault> {
    match place {
        Place::Endpoints(beyond) => endpoints(link, vault, *beyond).await,
        Place::Answers(beyond) => kept_answers(link, vault, beyond).await,
        Place::End => Ok((0, Place::End)),
    }
}

async fn endpoints(link: Link<'_>, vault: &Vault, beyond: i64) -> Result<(usize, Place), Fault> {
    let found = link.all(OLD_ENDPOINTS, params![beyond, ENDPOINTS]).await?;
    let mut renewed = 0;
    for row in &found {
        renewed += usize::from(endpoint(link, vault, row).await?);
    }
    let next = match found.last() {
        Some(last) if found.len() as i64 == ENDPOINTS => Place::Endpoints(get(last, 0)?),
        _ => Place::Answers(Vec::new()),
    };
    Ok((renewed, next))
}

/// Encrypts an endpoint's secrets and headers anew, if need be; says whether.
async fn endpoint(link: Link<'_>, vault: &Vault, row: &Row) -> Result<bool, Fault> {
    let (key, secrets, headers): (i64, &[u8], &[u8]) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
    if vault.is_current(secrets) && vault.is_current(headers) {
        return Ok(false);
    }
    let raw = key.to_be_bytes();
    let (secrets_at, headers_at) = (secrets_place(&raw), headers_place(&raw));
    let secrets = vault.seal(secrets_at, &vault.open(secrets_at, secrets)?)?;
    let headers = vault.seal(headers_at, &vault.open(headers_at, headers)?)?;
    let sql = "UPDATE endpoint SET secrets = $2, headers = $3 WHERE id = $1";
    link.run(sql, params![key, secrets, headers]).await?;
    Ok(true)
}

async fn kept_answers(
    link: Link<'_>,
    vault: &Vault,
    beyond: &[u8],
) -> Result<(usize, Place), Fault> {
    let found = link.all(NEXT_ANSWERS, params![beyond, ANSWERS]).await?;
    let mut renewed = 0;
    for row in &found {
        let (key, sealed): (&[u8], &[u8]) = (get(row, 0)?, get(row, 1)?);
        if vault.is_current(sealed) {
            continue;
        }
        let at = answers::place(key);
        let sealed = vault.seal(at, &vault.open(at, sealed)?)?;
        let sql = "UPDATE answer SET answer = $2 WHERE key = $1";
        link.run(sql, params![key, sealed]).await?;
        renewed += 1;
    }
    let next = match found.last() {
        Some(last) if found.len() as i64 == ANSWERS => Place::Answers(get(last, 0)?),
        _ => Place::End,
    };
    Ok((renewed, next))
}
