//! Expunging: what was said goes, that it was said stays.

use ringbolt_model::{AppId, AttemptId, MessageId};
use rusqlite::{Connection, params};

use super::rows::{EXPUNGED, to_column};

/// Runs what removes content, and has SQLite write zeros into the pages that become free: they would
/// otherwise keep it until they are used again. (In pages that stay in use it always does.)
pub(in crate::sqlite) fn overwriting<T>(
    conn: &Connection,
    remove: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    conn.execute_batch("PRAGMA secure_delete = ON")?;
    let removed = remove();
    conn.execute_batch("PRAGMA secure_delete = FAST")?;
    removed
}

/// Removes the content of a message; says whether there is such a message.
pub(super) fn message(conn: &Connection, app: AppId, message: MessageId) -> rusqlite::Result<bool> {
    let mut row =
        conn.prepare_cached("UPDATE message SET payload = NULL WHERE id = ?1 AND app_id = ?2")?;
    let key = [to_column(message.raw()), to_column(app.raw())];
    Ok(overwriting(conn, || row.execute(key))? > 0)
}

/// Removes what an endpoint answered; says whether there is such an attempt.
pub(super) fn attempt(
    conn: &Connection,
    app: AppId,
    message: MessageId,
    attempt: AttemptId,
) -> rusqlite::Result<bool> {
    let mut row = conn.prepare_cached(
        "UPDATE attempt SET headers = NULL, body = ?4 \
         WHERE id = ?1 AND message_id = ?2 AND app_id = ?3",
    )?;
    let changed = overwriting(conn, || {
        row.execute(params![
            to_column(attempt.raw()),
            to_column(message.raw()),
            to_column(app.raw()),
            EXPUNGED
        ])
    })?;
    Ok(changed > 0)
}
