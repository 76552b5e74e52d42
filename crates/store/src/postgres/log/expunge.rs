//! Expunging: what was said goes, that it was said stays.

use ringbolt_model::{AppId, AttemptId, MessageId};

use super::is_there;
use crate::encoding::EXPUNGED;
use crate::postgres::Fault;
use crate::postgres::column::to_column;
use crate::postgres::link::{Link, params};

/// Removes the content of a message.
pub(super) async fn message(link: Link<'_>, app: AppId, message: MessageId) -> Result<(), Fault> {
    let there = is_there("m.app_id", "m.id");
    let sql = format!(
        "UPDATE message m SET payload = NULL WHERE m.app_id = $1 AND m.id = $2 AND {there}"
    );
    let (app, message) = (to_column(app.raw()), to_column(message.raw()));
    existed(link.run(&sql, params![app, message]).await?)
}

/// Removes what an endpoint answered.
pub(super) async fn attempt(
    link: Link<'_>,
    app: AppId,
    message: MessageId,
    attempt: AttemptId,
) -> Result<(), Fault> {
    let there = is_there("a.app_id", "a.message_id");
    let sql = format!(
        "UPDATE attempt a SET headers = NULL, body = $4 \
         WHERE a.app_id = $1 AND a.message_id = $2 AND a.id = $3 AND {there}"
    );
    let (app, message) = (to_column(app.raw()), to_column(message.raw()));
    let attempt = to_column(attempt.raw());
    existed(
        link.run(&sql, params![app, message, attempt, EXPUNGED])
            .await?,
    )
}

const fn existed(rows: u64) -> Result<(), Fault> {
    if rows > 0 {
        Ok(())
    } else {
        Err(Fault::NotFound)
    }
}
