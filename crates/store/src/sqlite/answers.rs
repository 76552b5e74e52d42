//! Answers that are given again when a request is repeated.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ringbolt_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Fault, SqliteStore};
use crate::vault::{Place, Vault};
use crate::{Answers, IDEMPOTENCY_KEPT as KEPT, KeptAnswer, StoreError};

pub(in crate::sqlite) const BY_KEY: &str = "SELECT body, status, answer FROM idempotency \
    WHERE key = ?1 AND at > ?2 AND answer IS NOT NULL";

/// Where the answer under a key is sealed to.
pub(in crate::sqlite) const fn place(key: &[u8]) -> Place<'_> {
    Place {
        column: "idempotency.answer",
        row: key,
    }
}

#[async_trait]
impl Answers for SqliteStore {
    async fn kept_answer(
        &self,
        key: [u8; 16],
        now: Timestamp,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        let vault = Arc::clone(&self.vault);
        self.read(move |conn| kept(conn, &vault, key, now)).await
    }

    async fn keep_answer(
        &self,
        key: [u8; 16],
        answer: KeptAnswer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sealed = self.vault.seal(place(&key), &answer.answer)?;
        self.write(move |tx| {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO idempotency (key, body, at, status, answer) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                key,
                answer.body_digest,
                now.as_micros(),
                answer.status,
                sealed
            ])?;
            Ok(())
        })
        .await
    }
}

fn kept(
    conn: &Connection,
    vault: &Vault,
    key: [u8; 16],
    now: Timestamp,
) -> Result<Option<KeptAnswer>, Fault> {
    let found = conn
        .prepare_cached(BY_KEY)?
        .query_row(params![key, (now - KEPT).as_micros()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?))
        })
        .optional()?;
    let Some((body_digest, status, sealed)) = found else {
        return Ok(None);
    };
    let answer = Bytes::copy_from_slice(&vault.open(place(&key), &sealed)?);
    Ok(Some(KeptAnswer {
        body_digest,
        status,
        answer,
    }))
}
