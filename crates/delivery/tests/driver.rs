//! The driver on a real store, with a way out that does as it is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use ringbolt_delivery::{
    Draft, Driver, DriverSettings, Handle, HttpSettings, Refused, Transport, Tried, start_with,
};
use ringbolt_engine::{Settings, Verdict};
use ringbolt_model::{
    AppId, Application, AttemptFailure, Clock, CustomHeaders, Endpoint, EndpointId,
    EndpointSecrets, Message, MessageId, Metadata, RetrySchedule, Subscription, Timestamp, Timings,
};
use ringbolt_net::{ClientSettings, TargetPolicy};
use ringbolt_signatures::Secret;
use ringbolt_store::{
    AttemptFilter, EndpointRef, IdempotencyKey, NewEndpoint, Order, Page, SqliteSettings,
    SqliteStore, Store,
};

/// A clock that starts at a known moment and runs with the runtime's.
struct TestClock(tokio::time::Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000) + self.0.elapsed()
    }

    fn steady(&self) -> Timestamp {
        self.now()
    }
}

/// What arrived where, and how many tries of each endpoint fail first.
#[derive(Default)]
struct Script {
    arrived: Mutex<Vec<(EndpointId, MessageId)>>,
    failures: Mutex<HashMap<EndpointId, u32>>,
    tries: AtomicU64,
}

#[async_trait]
impl Transport for Script {
    async fn attempt(&self, message: &Message, endpoint: EndpointId) -> Tried {
        self.tries.fetch_add(1, Relaxed);
        let took = Duration::from_millis(1);
        let mut failures = self.failures.lock();
        let left = failures.entry(endpoint).or_default();
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        if !fails {
            self.arrived.lock().push((endpoint, message.id));
        }
        Tried {
            at: Timestamp::from_seconds(1_800_000_000),
            url: "http://test/".into(),
            address: None,
            status: if fails { 500 } else { 204 },
            failure: fails.then_some(AttemptFailure::Status),
            detail: None,
            headers: Bytes::new(),
            body: Bytes::new(),
            timings: Timings {
                total: took,
                ..Timings::default()
            },
            verdict: if fails {
                Verdict::failure(took)
            } else {
                Verdict::success(took)
            },
            missing: false,
        }
    }

    fn forget(&self, _endpoint: EndpointId) {}

    fn sweep(&self) {}
}

struct Machine {
    folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
    script: Arc<Script>,
    handle: Handle,
    driver: Driver,
}

impl Machine {
    async fn new() -> Self {
        Self::on(tempfile::tempdir().expect("a temporary folder")).await
    }

    async fn on(folder: tempfile::TempDir) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TestClock(tokio::time::Instant::now()));
        let path = folder.path().join("ringbolt.db");
        let settings = SqliteSettings::new(path, vec![[7; 32]], clock.clone());
        let store = Arc::new(SqliteStore::open(settings).expect("the store opens"));
        let script = Arc::new(Script::default());
        let schedule: RetrySchedule = "10ms,20ms,50ms".parse().expect("a schedule");
        let settings = DriverSettings {
            engine: Settings {
                schedule,
                ..Settings::default()
            },
            seed: 1,
            node: 0,
            routes_bytes: usize::MAX,
            http: HttpSettings {
                client: ClientSettings::default(),
                timeout: Duration::from_secs(60),
                policy: TargetPolicy::default(),
                signature_headers: Default::default(),
            },
        };
        let way_out: Arc<dyn Transport> = script.clone();
        let shared: Arc<dyn Store> = store.clone();
        let (handle, driver) = start_with(settings, shared, clock, way_out)
            .await
            .expect("starts");
        Self {
            folder,
            store,
            script,
            handle,
            driver,
        }
    }

    /// Stops and starts again on the same file.
    async fn again(self) -> Self {
        self.driver.stop(Duration::from_secs(60)).await;
        drop(self.handle);
        self.store.close();
        drop(self.store);
        Self::on(self.folder).await
    }

    async fn app(&self) -> Application {
        let app = Application {
            id: self.handle.new_id(),
            uid: None,
            name: "test".into(),
            throttle_rate: None,
            metadata: Metadata::default(),
            updated_at: self.handle.now(),
        };
        self.handle
            .store()
            .create_application(app.clone())
            .await
            .expect("created");
        app
    }

    async fn endpoint(&self, app: AppId) -> EndpointId {
        let endpoint = Endpoint {
            id: self.handle.new_id(),
            app,
            uid: None,
            url: "https://example.com/".into(),
            description: String::new(),
            subscription: Subscription::default(),
            disabled: None,
            throttle_rate: None,
            concurrency: None,
            schedule: None,
            signature_headers: None,
            metadata: Metadata::default(),
            failing: None,
            updated_at: self.handle.now(),
        };
        let secrets = EndpointSecrets {
            current: Secret::symmetric_from([1; 24]),
            old: Vec::new(),
        };
        let headers = CustomHeaders::default();
        let new = NewEndpoint {
            endpoint: endpoint.clone(),
            secrets,
            headers,
        };
        self.handle
            .store()
            .create_endpoint(new)
            .await
            .expect("created");
        self.handle.endpoint_changed(&endpoint);
        endpoint.id
    }

    async fn subscribe(&self, app: AppId, endpoint: EndpointId, wanted: &'static str) {
        let edit = Box::new(move |endpoint: &mut Endpoint| {
            endpoint.subscription.event_types = [wanted.parse().expect("a name")].into();
        });
        let store = self.handle.store();
        let edited = store.edit_endpoint(app, EndpointRef::Id(endpoint), edit);
        self.handle.endpoint_changed(&edited.await.expect("edited"));
    }

    async fn send(&self, app: &Application) -> MessageId {
        self.handle
            .accept(app, draft(None))
            .await
            .expect("accepted")
            .id
    }

    /// Waits until as many deliveries have arrived.
    async fn arrived(&self, count: usize) -> Vec<(EndpointId, MessageId)> {
        for _ in 0..12_000 {
            let arrived = self.script.arrived.lock().clone();
            if arrived.len() >= count {
                return arrived;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "only {} of {count} arrived",
            self.script.arrived.lock().len()
        );
    }
}

fn draft(idempotency: Option<IdempotencyKey>) -> Draft {
    Draft {
        event_type: "test.event".parse().expect("a name"),
        event_id: None,
        channels: Arc::new([]),
        tags: Arc::new([]),
        content_type: "application/json".into(),
        payload: Bytes::from_static(b"{}"),
        expires_at: None,
        idempotency,
    }
}

#[tokio::test]
async fn what_is_accepted_arrives_at_every_endpoint_once() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    for _ in 0..3 {
        machine.endpoint(app.id).await;
    }
    for _ in 0..50 {
        machine.send(&app).await;
    }
    let mut arrived = machine.arrived(150).await;
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived.len(), 150);
    machine.driver.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_failed_try_is_made_again_on_its_schedule_and_both_are_recorded() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.script.failures.lock().insert(endpoint, 2);
    let message = machine.send(&app).await;
    machine.arrived(1).await;
    let page = Page {
        limit: 10,
        order: Order::Ascending,
        after: None,
    };
    let filter = AttemptFilter {
        with_content: true,
        ..AttemptFilter::default()
    };
    loop {
        let store = machine.handle.store();
        let list = store
            .message_attempts(app.id, message, filter.clone(), page.clone())
            .await;
        let results: Vec<bool> = list
            .expect("a list")
            .items
            .iter()
            .map(|a| a.succeeded())
            .collect();
        if results.len() == 3 {
            assert_eq!(results, [false, false, true]);
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    machine.driver.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_repeated_idempotency_key_gives_the_first_message() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    machine.endpoint(app.id).await;
    let key = IdempotencyKey {
        key: [1; 16],
        body: [2; 16],
    };
    let other = IdempotencyKey {
        key: [1; 16],
        body: [3; 16],
    };
    let first = machine
        .handle
        .accept(&app, draft(Some(key)))
        .await
        .expect("accepted");
    let second = machine
        .handle
        .accept(&app, draft(Some(key)))
        .await
        .expect("accepted");
    assert_eq!((first.id, first.repeated), (second.id, false));
    assert!(second.repeated);
    let third = machine.handle.accept(&app, draft(Some(other))).await;
    assert_eq!(third, Err(Refused::KeyReused));
    machine.arrived(1).await;
    assert_eq!(machine.script.tries.load(Relaxed), 1);
    machine.driver.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn what_failed_before_a_restart_is_delivered_after_it() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.script.failures.lock().insert(endpoint, 1);
    let message = machine.send(&app).await;
    while machine.script.tries.load(Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let machine = machine.again().await;
    let arrived = machine.arrived(1).await;
    assert_eq!(arrived, [(endpoint, message)]);
    machine.driver.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_message_to_a_deleted_application_is_refused() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    machine.send(&app).await;
    let app_ref = ringbolt_store::AppRef::Id(app.id);
    let endpoints = machine
        .handle
        .store()
        .delete_application(app_ref)
        .await
        .expect("deleted");
    machine.handle.application_deleted(app.id, &endpoints);
    let refused = machine.handle.accept(&app, draft(None)).await;
    assert_eq!(refused, Err(Refused::ApplicationGone));
    machine.driver.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn changes_to_endpoints_are_obeyed_without_reading_all_of_them_again() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let first = machine.endpoint(app.id).await;
    let message = machine.send(&app).await;
    assert_eq!(machine.arrived(1).await, [(first, message)]);
    let mut owed = 1;
    for n in 1..=20 {
        // A new one, and one that wants nothing of this kind any more, or does again.
        machine.endpoint(app.id).await;
        let wanted = if n % 2 == 0 { "test.event" } else { "other" };
        machine.subscribe(app.id, first, wanted).await;
        machine.send(&app).await;
        owed += n + usize::from(n % 2 == 0);
    }
    let mut arrived = machine.arrived(owed).await;
    machine.driver.stop(Duration::from_secs(60)).await;
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived.len(), owed);
    let of_first = arrived.iter().filter(|one| one.0 == first).count();
    assert_eq!(of_first, 11);
    let metrics = machine.handle.metrics_text();
    assert!(metrics.contains("ringbolt_applications_read_total 1\n"));
}

#[tokio::test]
async fn senders_who_all_need_the_routes_read_them_once() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    for _ in 0..3 {
        machine.endpoint(app.id).await;
    }
    let tracker = tokio_util::task::TaskTracker::new();
    let senders = (0..20).map(|_| {
        let (handle, app) = (machine.handle.clone(), app.clone());
        tracker.spawn(async move { handle.accept(&app, draft(None)).await })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("it ends").expect("accepted");
    }
    assert_eq!(machine.arrived(60).await.len(), 60);
    let metrics = machine.handle.metrics_text();
    assert!(metrics.contains("ringbolt_applications_read_total 1\n"));
    machine.driver.stop(Duration::from_secs(60)).await;
}
