//! Idempotency keys older than a day: found on a reader, since they lie scattered among all the
//! others, and removed by the writer.

use std::time::Duration;

use ringbolt_model::Timestamp;
use rusqlite::{Connection, params};

use crate::IDEMPOTENCY_KEPT as KEPT;
use crate::lists::Pass;

/// How often all keys are looked through.
const EVERY: Duration = Duration::from_secs(3600);
/// How many keys a step looks at.
const STEP: usize = 1_000;

pub(in crate::sqlite) const NEXT: &str =
    "SELECT key, at FROM idempotency WHERE key > ?1 ORDER BY key LIMIT ?2";

/// The walk through the keys.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct StaleAnswers(Pass<Vec<u8>>);

/// What a step of the walk has found.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Found {
    stale: Vec<Vec<u8>>,
    before: i64,
    /// The last key looked at, unless the walk is over.
    reached: Option<Vec<u8>>,
}

impl Found {
    /// Removes what was found stale, unless it was used anew meanwhile.
    pub(in crate::sqlite) fn remove(&self, tx: &Connection) -> rusqlite::Result<usize> {
        let mut row = tx.prepare_cached("DELETE FROM idempotency WHERE key = ?1 AND at <= ?2")?;
        let mut removed = 0;
        for key in &self.stale {
            removed += row.execute(params![key, self.before])?;
        }
        Ok(removed)
    }

    /// Whether the walk goes on.
    pub(in crate::sqlite) const fn more(&self) -> bool {
        self.reached.is_some()
    }
}

impl StaleAnswers {
    /// Beyond which key to look, if it is time to.
    pub(in crate::sqlite) fn resume(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        self.0.resume(now, EVERY)
    }

    /// Notes that what was found is removed.
    pub(in crate::sqlite) fn advance(&mut self, found: Found, now: Timestamp) {
        self.0 = found.reached.map_or(Pass::Ended(now), Pass::At);
    }
}

/// Looks for stale keys beyond this one.
pub(in crate::sqlite) fn look(
    conn: &Connection,
    beyond: &[u8],
    now: Timestamp,
) -> rusqlite::Result<Found> {
    let before = (now - KEPT).as_micros();
    let mut found = Found {
        before,
        ..Found::default()
    };
    let mut statement = conn.prepare_cached(NEXT)?;
    let mut rows = statement.query(params![beyond, STEP as i64])?;
    let (mut looked_at, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        let key: Vec<u8> = row.get(0)?;
        if row.get::<_, i64>(1)? <= before {
            found.stale.push(key.clone());
        }
        looked_at += 1;
        last = Some(key);
    }
    found.reached = last.filter(|_| looked_at == STEP);
    Ok(found)
}
