//! Answers that are given again when a request is repeated.

use async_trait::async_trait;
use bytes::Bytes;
use ringbolt_model::Timestamp;

use super::column::{get, unreadable};
use super::link::params;
use super::{Fault, PostgresStore};
use crate::vault::Place;
use crate::{Answers, IDEMPOTENCY_KEPT, KeptAnswer, StoreError};

/// Where the answer under a key is sealed to.
pub(super) const fn place(key: &[u8]) -> Place<'_> {
    Place {
        column: "answer.answer",
        row: key,
    }
}

#[async_trait]
impl Answers for PostgresStore {
    async fn kept_answer(
        &self,
        key: [u8; 16],
        now: Timestamp,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        Ok(self.kept(&key, now).await?)
    }

    async fn keep_answer(
        &self,
        key: [u8; 16],
        answer: KeptAnswer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(self.keep(&key, &answer, now).await?)
    }
}

impl PostgresStore {
    async fn kept(&self, key: &[u8; 16], now: Timestamp) -> Result<Option<KeptAnswer>, Fault> {
        let sql = "SELECT body, status, answer FROM answer WHERE key = $1 AND at > $2";
        let oldest = (now - IDEMPOTENCY_KEPT).as_micros();
        let client = self.client().await?;
        let found = self
            .link(&client)
            .maybe(sql, params![&key[..], oldest])
            .await?;
        let Some(row) = found else { return Ok(None) };
        let answer = self.vault.open(place(key), get(&row, 2)?)?;
        Ok(Some(KeptAnswer {
            body_digest: get::<&[u8]>(&row, 0)?.try_into().map_err(unreadable)?,
            status: get::<i16>(&row, 1)?.cast_unsigned(),
            answer: Bytes::copy_from_slice(&answer),
        }))
    }

    async fn keep(&self, key: &[u8; 16], answer: &KeptAnswer, now: Timestamp) -> Result<(), Fault> {
        let sealed = self.vault.seal(place(key), &answer.answer)?;
        let sql = "INSERT INTO answer (key, body, at, status, answer) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (key) DO UPDATE SET body = excluded.body, at = excluded.at, \
                status = excluded.status, answer = excluded.answer";
        let (body, at) = (&answer.body_digest[..], now.as_micros());
        let status = answer.status.cast_signed();
        let client = self.client().await?;
        self.link(&client)
            .run(sql, params![&key[..], body, at, status, sealed])
            .await?;
        Ok(())
    }
}
