//! What stands in the tables by endpoint for endpoints that are gone; and counters past retention.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::Bounds;
use super::budget::Budget;
use crate::lists::Pass;

/// How often the tables are walked through, one step for each endpoint in them.
const EVERY: Duration = Duration::from_secs(600);

/// A table whose key begins with the endpoint.
struct Table {
    next: &'static str,
    rows: &'static str,
    delete: &'static str,
}

macro_rules! table {
    ($name:literal, $second:literal) => {
        Table {
            next: concat!(
                "SELECT endpoint_id FROM ",
                $name,
                " WHERE endpoint_id > ?1 ORDER BY endpoint_id LIMIT 1"
            ),
            rows: concat!(
                "SELECT ",
                $second,
                " FROM ",
                $name,
                " WHERE endpoint_id = ?1 AND ",
                $second,
                " < ?2 ORDER BY ",
                $second,
                " LIMIT ?3"
            ),
            delete: concat!(
                "DELETE FROM ",
                $name,
                " WHERE endpoint_id = ?1 AND ",
                $second,
                " = ?2"
            ),
        }
    };
}

/// The counters come last: of endpoints that are still there, the old ones go too.
const TABLES: [Table; 4] = [
    table!("delivery", "message_id"),
    table!("message_by_endpoint", "message_id"),
    table!("attempt_by_endpoint", "attempt_id"),
    table!("counter", "hour"),
];
const COUNTER: usize = 3;

#[cfg(test)]
pub(super) fn statements() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .flat_map(|table| [table.next, table.rows, table.delete])
}

/// The walk: in which table it is, and beyond which endpoint.
#[derive(Debug, Default)]
pub(super) struct Leftovers(Pass<(usize, i64)>);

impl Leftovers {
    pub(super) fn walk(
        &mut self,
        tx: &Connection,
        budget: &mut Budget<'_>,
        bounds: &Bounds,
    ) -> rusqlite::Result<()> {
        while budget.is_left()
            && let Some((place, beyond)) = self.0.resume(bounds.now, EVERY)
        {
            let Some(table) = TABLES.get(place) else {
                self.0 = Pass::Ended(bounds.now);
                return Ok(());
            };
            let next: Option<i64> = tx
                .prepare_cached(table.next)?
                .query_row([beyond], |row| row.get(0))
                .optional()?;
            budget.spend(1);
            let Some(endpoint) = next else {
                self.0 = Pass::At((place + 1, 0));
                continue;
            };
            let below = if !exists(tx, endpoint)? {
                i64::MAX
            } else if place == COUNTER {
                bounds.oldest.as_seconds() / 3600
            } else {
                i64::MIN
            };
            if !remove_part(tx, budget, table, endpoint, below)? {
                self.0 = Pass::At((place, endpoint));
            }
        }
        Ok(())
    }
}

fn exists(tx: &Connection, endpoint: i64) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM endpoint WHERE id = ?1")?
        .exists([endpoint])
}

/// Removes rows of an endpoint below a key; says whether there may be more.
fn remove_part(
    tx: &Connection,
    budget: &mut Budget<'_>,
    table: &Table,
    endpoint: i64,
    below: i64,
) -> rusqlite::Result<bool> {
    if below == i64::MIN {
        return Ok(false);
    }
    let most = budget.part();
    let rows: Vec<i64> = tx
        .prepare_cached(table.rows)?
        .query_map(params![endpoint, below, most as i64], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut row = tx.prepare_cached(table.delete)?;
    for second in &rows {
        row.execute([endpoint, *second])?;
    }
    budget.spend(rows.len());
    Ok(rows.len() == most)
}
