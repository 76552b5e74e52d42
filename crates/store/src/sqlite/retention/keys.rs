//! API keys that have not worked for long.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::Bounds;
use super::budget::Budget;
use crate::lists::Pass;

/// How often the keys are looked through.
const EVERY: Duration = Duration::from_secs(3600);
/// How long a key is listed after it was revoked or has expired.
const LISTED: Duration = Duration::from_secs(30 * 86_400);

pub(super) const NEXT: &str = "SELECT id, min(ifnull(revoked_at, ?3), ifnull(expires_at, ?3)) FROM api_key \
    WHERE id > ?1 ORDER BY id LIMIT ?2";

/// The walk through the keys.
#[derive(Debug, Default)]
pub(super) struct OldKeys(Pass<i64>);

impl OldKeys {
    pub(super) fn walk(
        &mut self,
        tx: &Connection,
        budget: &mut Budget<'_>,
        bounds: &Bounds,
    ) -> rusqlite::Result<()> {
        let before = (bounds.now - LISTED).as_micros();
        while budget.is_left()
            && let Some(beyond) = self.0.resume(bounds.now, EVERY)
        {
            let most = budget.part();
            let keys: Vec<(i64, i64)> = tx
                .prepare_cached(NEXT)?
                .query_map(params![beyond, most as i64, i64::MAX], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect::<Result<_, _>>()?;
            let mut row = tx.prepare_cached("DELETE FROM api_key WHERE id = ?1")?;
            for (key, _) in keys.iter().filter(|(_, ended)| *ended < before) {
                row.execute([key])?;
            }
            budget.spend(keys.len());
            self.0 = match keys.last() {
                Some((last, _)) if keys.len() == most => Pass::At(*last),
                _ => Pass::Ended(bounds.now),
            };
        }
        Ok(())
    }
}
