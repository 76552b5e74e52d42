//! Large payloads: read before the step that lets go of them, and overwritten a part at a time.
//!
//! SQLite follows a payload from page to page, which takes 0.3 s for 10 MiB that lie scattered on the disk, and what
//! it overwrites the commit writes again.

#[cfg(test)]
mod tests;

use rusqlite::{Connection, OptionalExtension};

use super::budget::Budget;
use crate::sqlite::log::expunge::LARGE;

pub(super) const PAYLOAD: &str = "SELECT payload FROM message WHERE id = ?1";
pub(super) const LENGTH: &str = "SELECT ifnull(length(m.payload), 0), g.overwritten \
    FROM message m LEFT JOIN gone_content g ON g.id = m.id WHERE m.id = ?1";
pub(super) const GONE: &str = "SELECT id FROM gone_content ORDER BY id LIMIT 1";

/// Reads what the next step lets go of or overwrites, on a reader's connection: the writer then finds it in the
/// system's memory.
pub(in crate::sqlite) fn read(conn: &Connection, message: i64) -> rusqlite::Result<()> {
    let (bytes, overwritten) = standing(conn, message)?;
    if let Some(from) = overwritten.filter(|from| *from < bytes) {
        let payload = conn.blob_open("main", "message", "payload", message, true)?;
        return payload.read_at_exact(&mut vec![0; LARGE.min(bytes - from)], from);
    }
    let mut statement = conn.prepare_cached(PAYLOAD)?;
    let read = statement.query_row([message], |row| row.get_ref(0).map(drop));
    read.optional().map(drop)
}

/// How many bytes the payload of a message has, and if it is gone for whoever reads, how many of them are overwritten.
fn standing(conn: &Connection, message: i64) -> rusqlite::Result<(usize, Option<usize>)> {
    let found = conn.prepare_cached(LENGTH)?.query_row([message], |row| {
        let (bytes, overwritten): (u32, Option<u32>) = (row.get(0)?, row.get(1)?);
        Ok((bytes as usize, overwritten.map(|bytes| bytes as usize)))
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// Whether a step may let go of the payload of a message. If it is large that is in a step that begins with
/// it, and if it is gone for whoever reads, after its last part was overwritten.
pub(super) fn may_go(
    tx: &Connection,
    budget: &mut Budget<'_>,
    message: i64,
) -> rusqlite::Result<bool> {
    let (bytes, overwritten) = standing(tx, message)?;
    if bytes <= LARGE {
        return Ok(true);
    }
    if budget.has_read(message) {
        match overwritten {
            Some(from) if from < bytes => overwrite(tx, budget, message, from..bytes)?,
            _ => return Ok(true),
        }
    }
    budget.end_to_read(message);
    Ok(false)
}

/// Writes zeros over the next part of a payload.
fn overwrite(
    tx: &Connection,
    budget: &mut Budget<'_>,
    message: i64,
    rest: std::ops::Range<usize>,
) -> rusqlite::Result<()> {
    let part = rest.len().min(LARGE);
    let mut payload = tx.blob_open("main", "message", "payload", message, false)?;
    payload.write_all_at(&vec![0; part], rest.start)?;
    payload.close()?;
    tx.prepare_cached("UPDATE gone_content SET overwritten = ?2 WHERE id = ?1")?
        .execute((message, (rest.start + part) as i64))?;
    budget.spend(1);
    budget.overwrite(part);
    Ok(())
}

/// Lets go of the large payloads that are gone for whoever reads.
pub(super) fn remove_gone(tx: &Connection, budget: &mut Budget<'_>) -> rusqlite::Result<()> {
    while budget.is_left() {
        let next = tx.prepare_cached(GONE)?.query_row((), |row| row.get(0));
        let Some(message) = next.optional()? else {
            return Ok(());
        };
        if !may_go(tx, budget, message)? {
            return Ok(());
        }
        tx.prepare_cached("UPDATE message SET payload = NULL WHERE id = ?1")?
            .execute([message])?;
        forget(tx, message)?;
        budget.spend(1);
    }
    Ok(())
}

/// Forgets how far a payload is overwritten, with the payload.
pub(super) fn forget(tx: &Connection, message: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM gone_content WHERE id = ?1")?
        .execute([message])?;
    Ok(())
}
