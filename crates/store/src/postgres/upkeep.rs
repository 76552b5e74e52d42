//! Keeping the database in order: retention, sizes, health.

mod applications;
mod content;
mod days;
mod ending;
mod endpoints;
mod leftovers;
mod measuring;
mod parked;
mod reencrypt;
mod rest;
mod tidying;

use std::path::PathBuf;

use async_trait::async_trait;
use ringbolt_model::Timestamp;

pub(super) use measuring::Measured;
pub(super) use reencrypt::Reencrypting;
pub(super) use tidying::Tidying;

use super::column::get;
use super::link::params;
use super::{Fault, PostgresStore};
use crate::{Health, Sizes, StoreError, Tidied, Upkeep, Working};

/// The largest ids of what is made by hand. Messages and attempts have ids of the time at which they are made, so what the
/// database's clock shows when a node joins exceeds theirs.
const LARGEST: &str = "SELECT greatest( \
    (SELECT id FROM application ORDER BY id DESC LIMIT 1), (SELECT id FROM endpoint ORDER BY id DESC LIMIT 1), \
    (SELECT id FROM api_key ORDER BY id DESC LIMIT 1), 0)";

/// Statements with the index that each walks.
#[cfg(test)]
pub(super) fn plans() -> Vec<(String, &'static str)> {
    let mut plans: Vec<(String, &'static str)> = vec![
        (LARGEST.into(), "api_key_pkey"),
        (parked::REACHED.into(), "delivery_by_message"),
        (parked::PARKED.into(), "delivery_by_message"),
        (content::EXPIRED.into(), "expires_at_idx"),
        (content::UNFINISHED.into(), "delivery_by_message"),
        (leftovers::USED_KEYS.into(), "used_key_by_age"),
        (leftovers::USED_EVENT_IDS.into(), "used_event_id_by_age"),
        (leftovers::ANSWERS.into(), "answer_by_age"),
        (leftovers::CHANGES.into(), "change_by_age"),
        (endpoints::NEXT.into(), "endpoint_deleted"),
        (endpoints::OWED.into(), "delivery_pkey"),
        (applications::NEXT.into(), "application_deleted"),
        (reencrypt::OLD_ENDPOINTS.into(), "endpoint_pkey"),
        (reencrypt::NEXT_ANSWERS.into(), "answer_pkey"),
    ];
    plans.extend(applications::OWNED.map(|sql| (sql.to_owned(), "_pkey")));
    plans.extend(
        rest::RESTS
            .iter()
            .map(|rest| (rest.next_sql(), "_rest_pkey")),
    );
    plans
}

#[async_trait]
impl Upkeep for PostgresStore {
    async fn tidy(&self, now: Timestamp) -> Result<Tidied, StoreError> {
        Ok(self.tidy_step(now).await?)
    }

    async fn largest_id(&self) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let row = self.link(&client).one(LARGEST, params![]).await?;
        let largest: i64 = get(&row, 0).map_err(StoreError::from)?;
        Ok(largest.cast_unsigned().max(self.membership.floor()))
    }

    async fn backup(&self, _to: PathBuf) -> Result<(), StoreError> {
        let why = "PostgreSQL is backed up with its own tools (pg_dump, pg_basebackup)";
        Err(StoreError::Unavailable(why.into()))
    }

    fn health(&self) -> Health {
        self.hot.health()
    }

    fn sizes(&self) -> Sizes {
        self.measure_when_old();
        let meter = &self.hot.meter;
        Sizes {
            on_disk: self.measured.on_disk(),
            free: 0,
            commit_writes: meter.writes.read(),
            commit_micros: meter.micros.read(),
        }
    }

    fn workers(&self) -> Vec<Working> {
        let writing = if self.hot.health().writable {
            "writing what comes"
        } else {
            "failed, trying again"
        };
        let status = self.pool.status();
        let used = status.size.saturating_sub(status.available);
        let connections = format!(
            "in use: {used} of {}, waited for by {}",
            status.max_size, status.waiting
        );
        vec![
            Working {
                name: "store-write",
                state: writing.to_owned(),
            },
            Working {
                name: "store-connections",
                state: connections,
            },
        ]
    }

    async fn reencrypt(&self) -> Result<usize, StoreError> {
        Ok(self.reencrypt_step().await?)
    }
}

/// Nothing was done, since something was in the way that will pass.
fn passed_by(fault: Fault) -> Result<Tidied, Fault> {
    use tokio_postgres::error::SqlState;
    let in_the_way = fault.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
        || fault.code() == Some(&SqlState::QUERY_CANCELED);
    if in_the_way || fault.is_passing() {
        return Ok(Tidied::default());
    }
    Err(fault)
}
