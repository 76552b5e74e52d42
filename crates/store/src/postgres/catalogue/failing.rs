//! Endpoints that fail, what waits for them, and how they failed last: a page of them in a bounded time.

use std::ops::Range;
use std::time::Duration;

use ringbolt_model::{Endpoint, EndpointId, Timestamp, id};
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
/// How many endpoints are looked up with one statement: each has counters of up to every hour and writer.
const AT_ONCE: usize = 4;
/// The longest that an attempt takes from its id to its end, and more.
const ATTEMPT: Duration = Duration::from_secs(3600);
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

/// What is counted in some hours, and the latest failed attempt from an id on, for each of some endpoints. The id leaves out the
/// partitions of earlier days.
pub(super) fn look_up_sql() -> String {
    format!(
        "SELECT {ATTEMPT_COLUMNS}, wanted.place, waiting.pending \
         FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS wanted (app_id, id, since, place) \
         CROSS JOIN LATERAL ( \
            SELECT coalesce(sum(c.owed - c.success - c.fail - c.cancelled), 0)::bigint AS pending FROM counter c \
            WHERE c.app_id = wanted.app_id AND c.endpoint_id = wanted.id AND c.hour >= $5 AND c.hour < $6) waiting \
         LEFT JOIN LATERAL ( \
            SELECT * FROM (SELECT * FROM attempt a \
                WHERE a.app_id = wanted.app_id AND a.endpoint_id = wanted.id \
                AND a.id >= wanted.since AND a.id >= (SELECT horizon FROM house WHERE one) ORDER BY a.id DESC LIMIT {LOOKED_AT}) latest \
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
    let since: Vec<i64> = endpoints.iter().map(failed_since).collect();
    let hour = |hour: i64| i32::try_from(hour).unwrap_or(i32::MAX);
    let (first, end) = (hour(hours.start), hour(hours.end));
    let rows = link
        .all(&look_up_sql(), params![false, apps, ids, since, first, end])
        .await?;
    let mut found: Vec<FailingEndpoint> = endpoints.iter().cloned().map(unknown).collect();
    for row in &rows {
        fill_in(&mut found, row)?;
    }
    Ok(found)
}

/// An id that is not beyond that of the latest failed attempt. How long an endpoint fails is kept after its attempts.
fn failed_since(endpoint: &Endpoint) -> i64 {
    let failed = endpoint.failing.map(|failing| failing.last);
    let failed = failed.or(endpoint.disabled.map(|disabled| disabled.since));
    failed.map_or(0, |failed| to_column(id::at_millisecond(failed - ATTEMPT)))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use ringbolt_model::{Clock, DisableReason};

    use super::*;
    use crate::conformance::{Bench, START};
    use crate::postgres::tests::Database;
    use crate::{Catalogue, PostgresSettings};

    /// A clock on which more time passes with each look than a page has.
    #[derive(Debug, Default)]
    struct Hurried(AtomicI64);

    impl Clock for Hurried {
        fn now(&self) -> Timestamp {
            START
        }

        fn steady(&self) -> Timestamp {
            Timestamp::from_micros(self.0.fetch_add(30_000, Relaxed))
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_page_ends_when_its_time_is_over_and_the_next_goes_on() {
        let database = Database::new();
        let settings = PostgresSettings {
            clock: Arc::<Hurried>::default(),
            ..Database::settings(&database.name)
        };
        let store = PostgresStore::open(settings).await.unwrap();
        let bench = Bench::on(database).await;
        let app = bench.app().await;
        let mut all = Vec::new();
        for _ in 0..AT_ONCE + 3 {
            let endpoint = bench.endpoint(app).await;
            let gone = store.disable_endpoint(endpoint, DisableReason::Gone, START);
            assert_eq!(gone.await, Ok(true));
            all.push(endpoint);
        }
        let page = |after| Page {
            limit: 250,
            order: Order::Ascending,
            after,
        };
        let first = store.failing_endpoints(page(None), START).await.unwrap();
        assert_eq!((first.items.len(), first.done), (AT_ONCE, false));
        assert_eq!(first.reached, Some(all[AT_ONCE - 1]));
        let rest = store.failing_endpoints(page(first.reached), START).await;
        let rest = rest.unwrap();
        assert_eq!((rest.items.len(), rest.done), (3, true));
    }
}
