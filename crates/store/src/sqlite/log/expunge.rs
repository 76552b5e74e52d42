//! Expunging: what was said goes, that it was said stays.

use ringbolt_model::{AppId, AttemptId, MessageId};
use rusqlite::{Connection, params};

use super::rows::{EXPUNGED, to_column};

/// Removes the content of a message; says whether there is such a message.
pub(super) fn message(conn: &Connection, app: AppId, message: MessageId) -> rusqlite::Result<bool> {
    let changed = conn
        .prepare_cached("UPDATE message SET payload = NULL WHERE id = ?1 AND app_id = ?2")?
        .execute([to_column(message.raw()), to_column(app.raw())])?;
    Ok(changed > 0)
}

/// Removes what an endpoint answered; says whether there is such an attempt.
pub(super) fn attempt(
    conn: &Connection,
    app: AppId,
    message: MessageId,
    attempt: AttemptId,
) -> rusqlite::Result<bool> {
    let changed = conn
        .prepare_cached(
            "UPDATE attempt SET headers = NULL, body = ?4 \
             WHERE id = ?1 AND message_id = ?2 AND app_id = ?3",
        )?
        .execute(params![
            to_column(attempt.raw()),
            to_column(message.raw()),
            to_column(app.raw()),
            EXPUNGED
        ])?;
    Ok(changed > 0)
}
