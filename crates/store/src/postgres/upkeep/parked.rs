//! Deliveries past retention that are parked: they end with their message, once nothing of it is to be tried any more.

use super::ending::{self, Keys};
use super::tidying::Bounds;
use crate::Tidied;
use crate::postgres::Fault;
use crate::postgres::column::get;
use crate::postgres::link::{Link, params};

/// How many deliveries past retention a step looks at; of one message all are.
const STEP: i64 = 500;

/// The walk through unfinished deliveries past retention, by message: where it goes on.
#[derive(Debug, Default, Clone)]
pub(super) struct Parked(i64);

pub(super) const REACHED: &str = "SELECT max(message_id) FROM (SELECT message_id FROM delivery \
    WHERE message_id >= $1 AND message_id < $2 ORDER BY message_id LIMIT $3) step";

pub(super) const PARKED: &str = "SELECT d.app_id, d.endpoint_id, d.message_id FROM delivery d \
    JOIN endpoint e ON e.id = d.endpoint_id \
    WHERE d.message_id BETWEEN $1 AND $2 AND e.disabled_since IS NOT NULL AND e.deleted_at IS NULL \
        AND NOT EXISTS (SELECT 1 FROM delivery o JOIN endpoint t ON t.id = o.endpoint_id \
            WHERE o.message_id = d.message_id AND t.disabled_since IS NULL AND t.deleted_at IS NULL) \
        AND (d.app_id, d.message_id) NOT IN (SELECT app_id, id FROM open_message) \
    FOR UPDATE OF d SKIP LOCKED";

/// Ends what is parked among the next few.
pub(super) async fn end(
    link: Link<'_>,
    bounds: &Bounds,
    walk: &mut Parked,
) -> Result<Tidied, Fault> {
    let step = params![walk.0, bounds.horizon, STEP];
    let reached: Option<i64> = get(&link.one(REACHED, step).await?, 0)?;
    let Some(reached) = reached else {
        *walk = Parked::default();
        return Ok(Tidied::default());
    };
    let found = link.all(PARKED, params![walk.0, reached]).await?;
    *walk = Parked(reached + 1);
    let expired = ending::expire(link, &Keys::of(&found)?, bounds.counter).await?;
    Ok(Tidied {
        rows: expired,
        expired,
        more: true,
    })
}
