//! Ending deliveries that no try will be made at any more.

use tokio_postgres::Row;

use crate::postgres::Fault;
use crate::postgres::column::get;
use crate::postgres::link::{Link, params};

/// Keys of deliveries, a column each.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) apps: Vec<i64>,
    pub(super) endpoints: Vec<i64>,
    pub(super) messages: Vec<i64>,
}

impl Keys {
    /// Of rows whose first columns they are.
    pub(super) fn of(rows: &[Row]) -> Result<Self, Fault> {
        let mut keys = Self::default();
        for row in rows {
            keys.apps.push(get(row, 0)?);
            keys.endpoints.push(get(row, 1)?);
            keys.messages.push(get(row, 2)?);
        }
        Ok(keys)
    }
}

const END: &str = "WITH ended AS (DELETE FROM delivery d USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
            AS w(app_id, endpoint_id, message_id) \
        WHERE d.app_id = w.app_id AND d.endpoint_id = w.endpoint_id AND d.message_id = w.message_id \
        RETURNING d.app_id, d.endpoint_id, d.message_id), \
    kept AS (INSERT INTO finished_delivery (app_id, endpoint_id, message_id, state, reason) \
        SELECT app_id, endpoint_id, message_id, 2, 1 FROM ended \
        ON CONFLICT (app_id, endpoint_id, message_id) DO UPDATE SET state = 2, reason = 1), \
    counted AS (INSERT INTO counter (app_id, endpoint_id, hour, writer, fail) \
        SELECT app_id, endpoint_id, ((message_id >> 32) + 1400000000) / 3600, $4, count(*) \
        FROM ended GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 \
        ON CONFLICT (app_id, endpoint_id, hour, writer) DO UPDATE SET fail = counter.fail + excluded.fail) \
    SELECT count(*) FROM ended";

/// Ends pending deliveries as failed since their content's time is over, and counts them so; says how many.
pub(super) async fn expire(link: Link<'_>, keys: &Keys, counter: i32) -> Result<usize, Fault> {
    if keys.apps.is_empty() {
        return Ok(0);
    }
    let ended = params![keys.apps, keys.endpoints, keys.messages, counter];
    let count: i64 = get(&link.one(END, ended).await?, 0)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Removes pending deliveries: without a row those of a deleted endpoint read as cancelled.
pub(super) async fn forget(link: Link<'_>, keys: &Keys) -> Result<usize, Fault> {
    let sql = "DELETE FROM delivery d USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w(app_id, endpoint_id, message_id) \
        WHERE d.app_id = w.app_id AND d.endpoint_id = w.endpoint_id AND d.message_id = w.message_id";
    let gone = params![keys.apps, keys.endpoints, keys.messages];
    let gone = link.run(sql, gone).await?;
    Ok(usize::try_from(gone).unwrap_or_default())
}
