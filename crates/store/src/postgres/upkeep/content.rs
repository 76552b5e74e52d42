//! Content whose time is over earlier than retention says. Deliveries that are unfinished by then have failed.

use super::ending::{self, Keys};
use super::tidying::Bounds;
use crate::Tidied;
use crate::postgres::Fault;
use crate::postgres::column::get;
use crate::postgres::link::{Link, params};

/// How many messages a step deals with.
const MESSAGES: i64 = 100;
/// How many of their deliveries.
const DELIVERIES: i64 = 2_000;

pub(super) const EXPIRED: &str = "SELECT app_id, id FROM message WHERE expires_at <= $1 \
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED";

pub(super) const UNFINISHED: &str = "SELECT app_id, endpoint_id, message_id FROM delivery \
    WHERE message_id = ANY($1) LIMIT $2 FOR UPDATE SKIP LOCKED";

/// Ends the deliveries of some messages, and removes their content when that is done.
pub(super) async fn expire(link: Link<'_>, bounds: &Bounds) -> Result<Tidied, Fault> {
    let now = bounds.now.as_micros();
    let found = link.all(EXPIRED, params![now, MESSAGES]).await?;
    if found.is_empty() {
        return Ok(Tidied::default());
    }
    let (mut apps, mut ids) = (Vec::new(), Vec::new());
    for row in &found {
        apps.push(get::<i64>(row, 0)?);
        ids.push(get::<i64>(row, 1)?);
    }
    let unfinished = link.all(UNFINISHED, params![ids, DELIVERIES]).await?;
    let expired = ending::expire(link, &Keys::of(&unfinished)?, bounds.counter).await?;
    if unfinished.len() as i64 == DELIVERIES {
        return Ok(Tidied {
            rows: expired,
            expired,
            more: true,
        });
    }
    let sql = "UPDATE message m SET payload = NULL, expires_at = NULL FROM unnest($1::bigint[], $2::bigint[]) AS w(app_id, id) \
        WHERE m.app_id = w.app_id AND m.id = w.id";
    link.run(sql, params![apps, ids]).await?;
    Ok(Tidied {
        rows: expired + ids.len(),
        expired,
        more: ids.len() as i64 == MESSAGES,
    })
}
