//! How many deliveries of an endpoint stand where, by the hour in which their messages were accepted.

use ringbolt_model::{EndpointId, Timestamp};

use super::standing::owner;
use crate::Counts;
use crate::encoding::hours;
use crate::postgres::Fault;
use crate::postgres::column::{get, to_column};
use crate::postgres::link::{Link, params};

/// The rows of all who count.
pub(super) const COUNTS: &str = "SELECT coalesce(sum(owed), 0)::bigint, coalesce(sum(success), 0)::bigint, \
        coalesce(sum(fail), 0)::bigint, coalesce(sum(cancelled), 0)::bigint \
    FROM counter WHERE app_id = $1 AND endpoint_id = $2 AND hour >= $3 AND hour < $4";

/// How many deliveries of an endpoint stand where.
pub(super) async fn of_endpoint(
    link: Link<'_>,
    endpoint: EndpointId,
    since: Timestamp,
    until: Timestamp,
) -> Result<Counts, Fault> {
    let owner = owner(link, endpoint).await?;
    let hours = hours(since, until);
    let column = |hour: i64| i32::try_from(hour).unwrap_or(i32::MAX);
    let (first, end) = (column(hours.start), column(hours.end));
    let key = to_column(endpoint.raw());
    let row = link
        .one(COUNTS, params![owner.app, key, first, end])
        .await?;
    let (owed, success): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
    let (fail, cancelled): (i64, i64) = (get(&row, 2)?, get(&row, 3)?);
    Ok(Counts {
        success,
        pending: (owed - success - fail - cancelled).max(0),
        fail,
        cancelled,
    })
}
