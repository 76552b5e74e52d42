//! Endpoints that fail, what waits for them, and how they failed last: a page of them in a bounded time.

use std::ops::Range;
use std::time::Duration;

use ringbolt_model::{Endpoint, EndpointId, Timestamp};
use tokio_postgres::Row;

use super::endpoint_row::{ENDPOINT_BYTES, ENDPOINT_COLUMNS, endpoint};
use crate::encoding::hours;
use crate::postgres::column::{beyond, direction, get, one_more, to_column, unreadable};
use crate::postgres::link::{Link, params};
use crate::postgres::log::rows::{ATTEMPT_COLUMNS, attempt};
use crate::postgres::pages::{bounded_listing, bounded_sql};
use crate::postgres::{Fault, PostgresStore};
use crate::{FailingEndpoint, Listing, Order, Page};

/// How long a page is looked up; what it is at then is finished.
const TIME: Duration = Duration::from_millis(20);
/// How many endpoints are looked up with one statement.
const AT_ONCE: usize = 10;
/// How many attempts are looked at for a failed one, the latest first.
const LOOKED_AT: usize = 500;

pub(super) fn list_sql(order: Order) -> String {
    let (compare, way) = direction(order);
    let rows = format!(
        "SELECT {ENDPOINT_COLUMNS}, {ENDPOINT_BYTES} AS bytes FROM endpoint e \
         WHERE e.deleted_at IS NULL AND (e.failing IS NOT NULL OR e.disabled_reason = 'gone') \
         AND e.id {compare} $1 ORDER BY e.id {way} LIMIT $2"
    );
    bounded_sql(&rows, "id", order)
}

/// What is counted in some hours, and the latest failed attempt, for each of some endpoints.
pub(super) fn look_up_sql() -> String {
    format!(
        "SELECT {ATTEMPT_COLUMNS}, wanted.place, waiting.pending \
         FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS wanted (app_id, id, place) \
         CROSS JOIN LATERAL ( \
            SELECT coalesce(sum(c.owed - c.success - c.fail - c.cancelled), 0)::bigint AS pending FROM counter c \
            WHERE c.app_id = wanted.app_id AND c.endpoint_id = wanted.id AND c.hour >= $4 AND c.hour < $5) waiting \
         LEFT JOIN LATERAL ( \
            SELECT * FROM (SELECT * FROM attempt a \
                WHERE a.app_id = wanted.app_id AND a.endpoint_id = wanted.id \
                AND a.id >= (SELECT horizon FROM house WHERE one) ORDER BY a.id DESC LIMIT {LOOKED_AT}) latest \
            WHERE latest.failure IS NOT NULL ORDER BY latest.id DESC LIMIT 1) a ON true"
    )
}

/// As many as there is time for, but some at least.
pub(super) async fn list(
    store: &PostgresStore,
    page: &Page<EndpointId>,
    since: Timestamp,
) -> Result<Listing<FailingEndpoint, EndpointId>, Fault> {
    let clock = &store.settings.clock;
    let until = clock.steady() + TIME;
    let hours = hours(since, clock.now());
    let client = store.client().await?;
    let link = store.link(&client);
    let listed = listed(link, page).await?;
    let (mut items, mut done) = (Vec::with_capacity(listed.items.len()), listed.done);
    for some in listed.items.chunks(AT_ONCE) {
        if !items.is_empty() && clock.steady() >= until {
            done = false;
            break;
        }
        items.extend(looked_up(link, some, &hours).await?);
    }
    Ok(Listing {
        reached: items.last().map(|last| last.endpoint.id),
        items,
        done,
    })
}

async fn listed(
    link: Link<'_>,
    page: &Page<EndpointId>,
) -> Result<Listing<Endpoint, EndpointId>, Fault> {
    let from = beyond(page.after.map(EndpointId::raw), page.order);
    let rows = link
        .all(&list_sql(page.order), params![from, one_more(page.limit)])
        .await?;
    bounded_listing(&rows, page.limit, endpoint, |endpoint| endpoint.id)
}

async fn looked_up(
    link: Link<'_>,
    endpoints: &[Endpoint],
    hours: &Range<i64>,
) -> Result<Vec<FailingEndpoint>, Fault> {
    let apps: Vec<i64> = endpoints
        .iter()
        .map(|one| to_column(one.app.raw()))
        .collect();
    let ids: Vec<i64> = endpoints
        .iter()
        .map(|one| to_column(one.id.raw()))
        .collect();
    let hour = |hour: i64| i32::try_from(hour).unwrap_or(i32::MAX);
    let (first, end) = (hour(hours.start), hour(hours.end));
    let rows = link
        .all(&look_up_sql(), params![false, apps, ids, first, end])
        .await?;
    let mut found: Vec<FailingEndpoint> = endpoints.iter().cloned().map(unknown).collect();
    for row in &rows {
        fill_in(&mut found, row)?;
    }
    Ok(found)
}

const fn unknown(endpoint: Endpoint) -> FailingEndpoint {
    FailingEndpoint {
        endpoint,
        pending: 0,
        last_failure: None,
    }
}

fn fill_in(found: &mut [FailingEndpoint], row: &Row) -> Result<(), Fault> {
    let place = usize::try_from(get::<i64>(row, 14)?).map_err(unreadable)?;
    if let Some(one) = found.get_mut(place - 1) {
        one.pending = get::<i64>(row, 15)?.max(0);
        if get::<Option<i64>>(row, 0)?.is_some() {
            one.last_failure = Some(attempt(row)?);
        }
    }
    Ok(())
}
