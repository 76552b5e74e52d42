//! Deleted endpoints: what they were owed goes at once, they themselves when their history does.

use std::time::Duration;

use super::ending::{self, Keys};
use super::tidying::Bounds;
use crate::Tidied;
use crate::lists::Pass;
use crate::postgres::Fault;
use crate::postgres::column::get;
use crate::postgres::link::{Link, params};

/// How often deleted endpoints are looked through.
const EVERY: Duration = Duration::from_secs(10);
/// How many of them a step looks at.
const STEP: i64 = 200;
/// How many of their deliveries it removes.
const DELIVERIES: i64 = 1_000;

pub(super) const NEXT: &str = "SELECT e.deleted_at, e.id, e.app_id, e.deleted_at < $4 \
        OR NOT EXISTS (SELECT 1 FROM application a WHERE a.id = e.app_id AND a.deleted_at IS NULL) \
    FROM endpoint e WHERE e.deleted_at IS NOT NULL AND (e.deleted_at, e.id) > ($1, $2) \
    ORDER BY e.deleted_at, e.id LIMIT $3";

pub(super) const OWED: &str = "SELECT d.app_id, d.endpoint_id, d.message_id \
    FROM unnest($1::bigint[], $2::bigint[]) AS w(app_id, endpoint_id) \
    JOIN delivery d ON d.app_id = w.app_id AND d.endpoint_id = w.endpoint_id LIMIT $3 \
    FOR UPDATE OF d SKIP LOCKED";

/// The walk through deleted endpoints, in order of deletion.
#[derive(Debug, Default, Clone)]
pub(super) struct Tombstones(Pass<(i64, i64)>);

/// Removes what the next few were owed, and those that are not remembered any more.
pub(super) async fn walk(
    link: Link<'_>,
    bounds: &Bounds,
    walk: &mut Tombstones,
) -> Result<Tidied, Fault> {
    let Some((at, endpoint)) = walk.0.resume(bounds.now, EVERY) else {
        return Ok(Tidied::default());
    };
    let oldest = bounds.oldest.as_micros();
    let found = link.all(NEXT, params![at, endpoint, STEP, oldest]).await?;
    let (mut apps, mut endpoints, mut forgotten) = (Vec::new(), Vec::new(), Vec::new());
    for row in &found {
        endpoints.push(get::<i64>(row, 1)?);
        apps.push(get::<i64>(row, 2)?);
        if get(row, 3)? {
            forgotten.push(get::<i64>(row, 1)?);
        }
    }
    let owed = link.all(OWED, params![apps, endpoints, DELIVERIES]).await?;
    let rows = ending::forget(link, &Keys::of(&owed)?).await?;
    let mut tidied = Tidied {
        rows,
        expired: 0,
        more: true,
    };
    if owed.len() as i64 == DELIVERIES {
        return Ok(tidied);
    }
    let sql = "DELETE FROM endpoint WHERE id = ANY($1)";
    link.run(sql, params![forgotten]).await?;
    tidied.rows += forgotten.len();
    tidied.more = found.len() as i64 == STEP;
    walk.0 = match found.last() {
        Some(last) if tidied.more => Pass::At((get(last, 0)?, get(last, 1)?)),
        _ => Pass::Ended(bounds.now),
    };
    Ok(tidied)
}
