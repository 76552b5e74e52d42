//! Deleted applications: what they owned goes, then they do.

use rusqlite::{Connection, OptionalExtension, params};

use super::Bounds;
use super::budget::Budget;
use super::messages::{Ended, remove_part};

pub(super) const NEXT: &str = "SELECT id FROM application INDEXED BY application_deleted \
    WHERE deleted_at IS NOT NULL AND (deleted_at, id) > (?1, ?2) ORDER BY deleted_at, id LIMIT 1";
pub(super) const ITS_MESSAGE: &str =
    "SELECT id FROM message INDEXED BY message_by_app WHERE app_id = ?1 ORDER BY id LIMIT 1";
pub(super) const ITS_KEYS: &str =
    "SELECT id FROM api_key INDEXED BY api_key_by_app WHERE app_id = ?1 LIMIT ?2";

/// Removes messages and keys of deleted applications, and the applications that own no more. Their
/// endpoints were deleted with them and are walked through as such.
pub(super) fn remove(
    tx: &Connection,
    budget: &mut Budget<'_>,
    bounds: &Bounds,
) -> rusqlite::Result<()> {
    let mut place = (i64::MIN, i64::MIN);
    while budget.is_left() {
        let next = tx
            .prepare_cached(NEXT)?
            .query_row([place.0, place.1], |row| row.get::<_, i64>(0))
            .optional()?;
        let Some(app) = next else { return Ok(()) };
        budget.spend(1);
        match remove_messages(tx, budget, bounds, app)? {
            Left::Nothing if remove_keys(tx, budget, app)? => {
                tx.prepare_cached("DELETE FROM application WHERE id = ?1")?
                    .execute([app])?;
            }
            Left::Unfolded => {
                let sql = "SELECT deleted_at FROM application WHERE id = ?1";
                place = (
                    tx.prepare_cached(sql)?.query_row([app], |row| row.get(0))?,
                    app,
                );
            }
            Left::Nothing | Left::More => {}
        }
    }
    Ok(())
}

enum Left {
    Nothing,
    More,
    /// Messages that are not folded yet: they are removed when they are.
    Unfolded,
}

fn remove_messages(
    tx: &Connection,
    budget: &mut Budget<'_>,
    bounds: &Bounds,
    app: i64,
) -> rusqlite::Result<Left> {
    while budget.is_left() {
        let next = tx
            .prepare_cached(ITS_MESSAGE)?
            .query_row([app], |row| row.get::<_, i64>(0))
            .optional()?;
        match next {
            None => return Ok(Left::Nothing),
            Some(message) if message > bounds.message => return Ok(Left::Unfolded),
            Some(message) => remove_part(tx, budget, message, Ended::Forget)?,
        };
        budget.spend(1);
    }
    Ok(Left::More)
}

/// Removes keys of an application; says whether none is left.
fn remove_keys(tx: &Connection, budget: &mut Budget<'_>, app: i64) -> rusqlite::Result<bool> {
    let most = budget.part();
    let keys: Vec<i64> = tx
        .prepare_cached(ITS_KEYS)?
        .query_map(params![app, most as i64], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut row = tx.prepare_cached("DELETE FROM api_key WHERE id = ?1")?;
    for key in &keys {
        row.execute([key])?;
    }
    budget.spend(keys.len());
    Ok(keys.len() < most)
}
