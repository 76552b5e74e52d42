//! Expunging: what was said goes, that it was said stays.

use ringbolt_model::{AppId, AttemptId, MessageId};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{EXPUNGED, to_column};

/// Payloads of more bytes than this are overwritten a part at a time, by tidying.
pub(in crate::sqlite) const LARGE: usize = 256 << 10;

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
    let sql = "SELECT ifnull(length(payload), 0) FROM message WHERE id = ?1 AND app_id = ?2";
    let message = to_column(message.raw());
    let bytes: Option<i64> = conn
        .prepare_cached(sql)?
        .query_row([message, to_column(app.raw())], |row| row.get(0))
        .optional()?;
    if let Some(bytes) = bytes {
        payload(conn, message, bytes)?;
    }
    Ok(bytes.is_some())
}

/// Removes a payload of so many bytes. A large one is gone for whoever reads, and its pages are freed when
/// all of them are overwritten: the commit writes each of them again.
pub(in crate::sqlite) fn payload(
    conn: &Connection,
    message: i64,
    bytes: i64,
) -> rusqlite::Result<()> {
    if bytes > LARGE as i64 {
        let sql =
            "INSERT INTO gone_content (id, overwritten) VALUES (?1, 0) ON CONFLICT DO NOTHING";
        return conn.prepare_cached(sql)?.execute([message]).map(drop);
    }
    let mut row = conn.prepare_cached("UPDATE message SET payload = NULL WHERE id = ?1")?;
    overwriting(conn, || row.execute([message])).map(drop)
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
