//! What waits for endpoints that fail, and how they failed last: a page of them in a bounded time.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use ringbolt_model::{Clock, Endpoint, EndpointId, Timestamp};
use rusqlite::Connection;

use super::rows::{self, to_column};
use super::{attempts, watermarks};
use crate::sqlite::counts::{self, Tally};
use crate::{FailingEndpoint, Listing};

/// How long a page is looked up; what it is at then is finished.
const TIME: Duration = Duration::from_millis(20);

pub(super) const OWED: &str = "SELECT id, targets FROM message NOT INDEXED WHERE id > ?1";
pub(super) const TRIED: &str = "SELECT id, endpoint_id, message_id, settled, failure IS NOT NULL \
    FROM attempt NOT INDEXED WHERE id > ?1";

/// Looks up what there is to know of endpoints, as many as there is time for, but one at least.
pub(in crate::sqlite) fn looked_up(
    conn: &Connection,
    listed: Listing<Endpoint, EndpointId>,
    since: Timestamp,
    clock: &dyn Clock,
) -> rusqlite::Result<Listing<FailingEndpoint, EndpointId>> {
    let until = clock.steady() + TIME;
    let hours = counts::hours(since, clock.now());
    let tail = Tail::read(conn, &listed.items, &hours)?;
    let (mut items, mut done) = (Vec::with_capacity(listed.items.len()), listed.done);
    for endpoint in listed.items {
        if !items.is_empty() && clock.steady() >= until {
            done = false;
            break;
        }
        let id = endpoint.id;
        let (recent, failed) = tail.of(id);
        let mut tally = counts::rolled_up(conn, to_column(id.raw()), &hours)?;
        tally.add(&recent);
        items.push(FailingEndpoint {
            endpoint,
            pending: tally.pending(),
            last_failure: attempts::latest_failure(conn, id, failed)?,
        });
    }
    Ok(Listing {
        reached: items.last().map(|last: &FailingEndpoint| last.endpoint.id),
        items,
        done,
    })
}

/// What is not folded yet of some endpoints: what was owed and settled, and the latest failed attempt. It lies
/// among that of all others, so it is read once for all of them.
struct Tail(HashMap<i64, (Tally, Option<i64>)>);

impl Tail {
    fn read(
        conn: &Connection,
        endpoints: &[Endpoint],
        hours: &Range<i64>,
    ) -> rusqlite::Result<Self> {
        let keys = endpoints.iter().map(|one| to_column(one.id.raw()));
        let mut tail = Self(keys.map(|key| (key, Default::default())).collect());
        if !tail.0.is_empty() {
            tail.read_owed(conn, hours)?;
            tail.read_tried(conn, hours)?;
        }
        Ok(tail)
    }

    fn read_owed(&mut self, conn: &Connection, hours: &Range<i64>) -> rusqlite::Result<()> {
        let mut statement = conn.prepare_cached(OWED)?;
        let mut found = statement.query([watermarks(conn)?.message])?;
        while let Some(row) = found.next()? {
            if !hours.contains(&counts::hour_of(row.get(0)?)) {
                continue;
            }
            for endpoint in rows::targets(row.get_ref(1)?.as_blob()?) {
                if let Some((tally, _)) = self.0.get_mut(&to_column(endpoint)) {
                    tally.owed += 1;
                }
            }
        }
        Ok(())
    }

    /// In the order of their ids, so that the latest failure is the one that stays.
    fn read_tried(&mut self, conn: &Connection, hours: &Range<i64>) -> rusqlite::Result<()> {
        let mut statement = conn.prepare_cached(TRIED)?;
        let mut found = statement.query([watermarks(conn)?.attempt])?;
        while let Some(row) = found.next()? {
            let Some((tally, failed)) = self.0.get_mut(&row.get(1)?) else {
                continue;
            };
            if hours.contains(&counts::hour_of(row.get(2)?)) {
                tally.settle(row.get(3)?);
            }
            if row.get(4)? {
                *failed = Some(row.get(0)?);
            }
        }
        Ok(())
    }

    fn of(&self, endpoint: EndpointId) -> (Tally, Option<i64>) {
        let found = self.0.get(&to_column(endpoint.raw()));
        found.copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use super::*;
    use crate::conformance::{Bench, START};
    use crate::sqlite::tests::TempStore;

    /// A clock on which a millisecond passes with each look.
    #[derive(Debug, Default)]
    struct Hurried(AtomicI64);

    impl Clock for Hurried {
        fn now(&self) -> Timestamp {
            START
        }

        fn steady(&self) -> Timestamp {
            Timestamp::from_micros(self.0.fetch_add(1_000, Relaxed))
        }
    }

    #[tokio::test]
    async fn a_page_ends_when_its_time_is_over_and_the_next_goes_on() {
        let ground = TempStore::new();
        let store = Arc::clone(&ground.store);
        let bench = Bench::on(ground).await;
        let app = bench.app().await;
        for _ in 0..5 {
            bench.endpoint(app).await;
        }
        // What counts is how many there are.
        let endpoints: Vec<Endpoint> = bench
            .endpoints(app)
            .await
            .into_iter()
            .cycle()
            .take(10_000)
            .collect();
        let listed = Listing {
            items: endpoints,
            reached: None,
            done: true,
        };
        let found =
            store.read(move |conn| Ok(looked_up(conn, listed, START, &Hurried::default())?));
        let found = found.await.unwrap();
        assert_eq!((found.items.len(), found.done), (20, false));
        let last = found.items.last().map(|last| last.endpoint.id);
        assert_eq!(found.reached, last);
    }
}
