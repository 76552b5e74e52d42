//! Deleted endpoints: what they were owed goes at once, they themselves when their history does.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::Bounds;
use super::budget::Budget;
use crate::lists::Pass;

/// How often deleted endpoints are looked through.
const EVERY: Duration = Duration::from_secs(10);

pub(super) const NEXT: &str = "SELECT e.deleted_at, e.id, \
        NOT EXISTS (SELECT 1 FROM application a WHERE a.id = e.app_id AND a.deleted_at IS NULL) \
    FROM endpoint e INDEXED BY endpoint_deleted \
    WHERE e.deleted_at IS NOT NULL AND (e.deleted_at, e.id) > (?1, ?2) \
    ORDER BY e.deleted_at, e.id LIMIT 1";
pub(super) const PENDING: &str = "SELECT message_id FROM delivery INDEXED BY delivery_due \
    WHERE endpoint_id = ?1 AND state = 0 LIMIT ?2";

/// The walk through deleted endpoints, in order of deletion.
#[derive(Debug, Default)]
pub(super) struct Tombstones(Pass<(i64, i64)>);

impl Tombstones {
    pub(super) fn walk(
        &mut self,
        tx: &Connection,
        budget: &mut Budget<'_>,
        bounds: &Bounds,
    ) -> rusqlite::Result<()> {
        while budget.is_left()
            && let Some(place) = self.0.resume(bounds.now, EVERY)
        {
            let next = tx
                .prepare_cached(NEXT)?
                .query_row([place.0, place.1], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
                })
                .optional()?;
            let Some((deleted_at, endpoint, orphaned)) = next else {
                self.0 = Pass::Ended(bounds.now);
                return Ok(());
            };
            budget.spend(1);
            if cancel_part(tx, budget, endpoint)? {
                continue;
            }
            if orphaned || deleted_at < bounds.oldest.as_micros() {
                tx.prepare_cached("DELETE FROM endpoint WHERE id = ?1")?
                    .execute([endpoint])?;
            }
            self.0 = Pass::At((deleted_at, endpoint));
        }
        Ok(())
    }
}

/// Removes pending deliveries of a deleted endpoint: without a row they read as cancelled. Says
/// whether there may be more.
fn cancel_part(tx: &Connection, budget: &mut Budget<'_>, endpoint: i64) -> rusqlite::Result<bool> {
    let most = budget.part();
    let pending: Vec<i64> = tx
        .prepare_cached(PENDING)?
        .query_map(params![endpoint, most as i64], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut row =
        tx.prepare_cached("DELETE FROM delivery WHERE endpoint_id = ?1 AND message_id = ?2")?;
    for message in &pending {
        row.execute([endpoint, *message])?;
    }
    budget.spend(pending.len());
    Ok(pending.len() == most)
}
