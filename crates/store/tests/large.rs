//! Tidying at full size, a million messages each; `make test-long` runs it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringbolt_model::{AppId, Clock, EndpointId, Timestamp};
use tempfile::TempDir;

use ringbolt_store::conformance::{Bench, Ground, START};
use ringbolt_store::{AppRef, Settled, SqliteSettings, SqliteStore, Store, Write};
use rusqlite::{Connection, OpenFlags};

/// How many messages there are, unless `RINGBOLT_TEST_MESSAGES` says otherwise.
const MESSAGES: usize = 1_000_000;
/// How many are written at once.
const BATCH: usize = 1_000;
/// A step that takes longer has held up senders.
const LONG: Duration = Duration::from_millis(200);
/// How often tidying may come to an end and begin again until nothing is left.
const WALKS: usize = 10;
/// Longer than the retention of these stores.
const LATER: Duration = Duration::from_secs(31 * 86_400);

/// A clock that begins when the suite takes place, and runs.
#[derive(Debug)]
struct RunningClock(Instant);

impl RunningClock {
    #[expect(clippy::disallowed_methods, reason = "it measures how long steps take")]
    fn start() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for RunningClock {
    fn now(&self) -> Timestamp {
        self.steady()
    }

    fn steady(&self) -> Timestamp {
        START + self.0.elapsed()
    }
}

/// A store in a folder, as it comes.
struct Plain(Arc<SqliteStore>);

impl Ground for Plain {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    fn after_crash(&self) -> Box<dyn Ground> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

/// A store with many messages of one application.
struct Large {
    bench: Bench,
    clock: Arc<RunningClock>,
    folder: TempDir,
    app: AppId,
}

/// What tidying took.
#[derive(Debug, Default)]
struct Took {
    steps: usize,
    ends: usize,
    long: usize,
    longest: Duration,
    whole: Duration,
}

#[expect(clippy::disallowed_methods, reason = "a test asks how large it is")]
fn messages() -> usize {
    let asked = std::env::var("RINGBOLT_TEST_MESSAGES").ok();
    asked.map_or(MESSAGES, |text| text.parse().expect("it works"))
}

async fn large() -> Large {
    let folder = TempDir::new().expect("it works");
    let clock = RunningClock::start();
    let path = folder.path().join("store.db");
    let settings = SqliteSettings::new(path, vec![[5; 32]], clock.clone());
    let bench = Bench::on(Plain(Arc::new(
        SqliteStore::open(settings).expect("it works"),
    )))
    .await;
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    for _ in 0..messages().div_ceil(BATCH) {
        deliver(&bench, app, endpoint).await;
    }
    Large {
        bench,
        clock,
        folder,
        app,
    }
}

/// Accepts messages and writes that each was delivered at once.
async fn deliver(bench: &Bench, app: AppId, endpoint: EndpointId) {
    let accepts = (0..BATCH).map(|_| bench.to_accept(bench.message(app), &[endpoint]));
    let accepts: Vec<_> = accepts.collect();
    let outcome = |id| bench.outcome(app, (id, endpoint), true, Settled::Delivered);
    let ids: Vec<_> = accepts.iter().map(|accept| accept.message.id).collect();
    let outcomes = ids.into_iter().map(|id| Write::Outcome(outcome(id)));
    let outcomes: Vec<_> = outcomes.collect();
    for answer in bench.accept_all(accepts).await {
        answer.expect("it works");
    }
    bench.write(outcomes).await;
}

impl Large {
    /// Tidies until nothing is left to do at once.
    async fn tidy(&self, now: Timestamp) -> Took {
        let begun = self.clock.steady();
        let mut took = Took::default();
        loop {
            let from = self.clock.steady();
            let more = self.bench.store.tidy(now).await.expect("it works").more;
            let step = self.clock.steady().since(from);
            took.steps += 1;
            took.long += usize::from(step > LONG);
            took.longest = took.longest.max(step);
            took.ends += usize::from(!more);
            // What was not folded yet when the walk passed by is for the next one.
            if !more && (left(self.folder.path()) == 0 || took.ends == WALKS) {
                took.whole = self.clock.steady().since(begun);
                return took;
            }
        }
    }

    /// Tidies, prints what that took, and checks that nothing is left and that nobody was held up.
    async fn tidied(&self, what: &str, now: Timestamp) {
        let before = self.bench.store.sizes().on_disk;
        let took = self.tidy(now).await;
        let after = self.bench.store.sizes().on_disk;
        println!(
            "{what}, {} messages: {took:?}; {before} bytes, then {after}",
            messages()
        );
        assert_eq!(left(self.folder.path()), 0);
        // The machine may stop for a moment, as the disk may; a step that is made too large is so often.
        assert!(took.long <= 1 + took.steps / 10, "{took:?}");
    }
}

/// How many messages and attempts there are.
fn left(folder: &Path) -> i64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = Connection::open_with_flags(folder.join("store.db"), flags).expect("it works");
    let sql = "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM attempt)";
    conn.query_row(sql, (), |row| row.get(0)).expect("it works")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes"]
async fn a_large_application_is_deleted_in_steps_that_hold_up_nobody() {
    let large = large().await;
    assert!(left(large.folder.path()) > 0);
    let app = AppRef::Id(large.app);
    large
        .bench
        .store
        .delete_application(app)
        .await
        .expect("it works");
    large
        .tidied("deleted", START + Duration::from_secs(60))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes"]
async fn a_large_store_past_retention_is_tidied_in_steps_that_hold_up_nobody() {
    let large = large().await;
    assert!(left(large.folder.path()) > 0);
    large.tidied("past retention", START + LATER).await;
}
