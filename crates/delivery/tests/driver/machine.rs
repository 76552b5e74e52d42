//! A machine on a real store, with a way out that does as it is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use ringbolt_delivery::{
    Draft, Driver, DriverSettings, Handle, HttpSettings, Transport, Tried, start_with,
};
use ringbolt_engine::{Settings, Verdict};
use ringbolt_model::{
    AppId, Application, AttemptFailure, Clock, CustomHeaders, Endpoint, EndpointId,
    EndpointSecrets, Message, MessageId, Metadata, Timestamp, Timings,
};
use ringbolt_net::{ClientSettings, TargetPolicy};
use ringbolt_signatures::Secret;
use ringbolt_store::{
    EndpointRef, IdempotencyKey, NewEndpoint, SqliteSettings, SqliteStore, Store,
};
use tokio::sync::{Notify, Semaphore};

use ringbolt_testkit::Pretended;

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
pub(crate) struct Script {
    /// Whoever closes it keeps tries from ending.
    pub(crate) gate: Semaphore,
    pub(crate) begun: AtomicU64,
    arrived: Mutex<Vec<(EndpointId, MessageId)>>,
    failures: Mutex<HashMap<EndpointId, u32>>,
    pub(crate) tries: AtomicU64,
    tried: Notify,
}

impl Script {
    fn new() -> Self {
        Self {
            gate: Semaphore::new(OPEN),
            begun: AtomicU64::new(0),
            arrived: Mutex::default(),
            failures: Mutex::default(),
            tries: AtomicU64::new(0),
            tried: Notify::new(),
        }
    }

    /// Tries that begin do not end until as many are let go.
    pub(crate) fn close_gate(&self) {
        self.gate.forget_permits(OPEN);
    }

    /// So many tries of an endpoint fail before one succeeds.
    pub(crate) fn fail(&self, endpoint: EndpointId, tries: u32) {
        self.failures.lock().insert(endpoint, tries);
    }

    /// Waits until it looks so after some try.
    pub(crate) async fn until(&self, enough: impl Fn(&Self) -> bool) {
        let waited = async {
            loop {
                let tried = self.tried.notified();
                if enough(self) {
                    return;
                }
                tried.await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(120), waited).await;
        let arrived = self.arrived.lock().len();
        assert!(waited.is_ok(), "{arrived} deliveries have arrived");
    }
}

/// As many tries as there are in a test, and more.
const OPEN: usize = 1 << 20;

#[async_trait]
impl Transport for Script {
    async fn attempt(&self, message: &Message, endpoint: EndpointId) -> Tried {
        self.begun.fetch_add(1, Relaxed);
        self.tried.notify_waiters();
        self.gate.acquire().await.expect("it is open").forget();
        let took = Duration::from_millis(1);
        let mut failures = self.failures.lock();
        let left = failures.entry(endpoint).or_default();
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        if !fails {
            self.arrived.lock().push((endpoint, message.id));
        }
        self.tries.fetch_add(1, Relaxed);
        self.tried.notify_waiters();
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
            repeated: false,
            missing: false,
        }
    }

    fn forget(&self, _endpoint: EndpointId) {}

    fn forget_all(&self) {}

    fn sweep(&self) {}
}

pub(crate) struct Machine {
    folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
    pub(crate) others: Arc<Pretended>,
    pub(crate) script: Arc<Script>,
    pub(crate) handle: Handle,
    driver: Driver,
}

impl Machine {
    pub(crate) async fn new() -> Self {
        Self::on(tempfile::tempdir().expect("a temporary folder")).await
    }

    async fn on(folder: tempfile::TempDir) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TestClock(tokio::time::Instant::now()));
        let path = folder.path().join("ringbolt.db");
        let settings = SqliteSettings::new(path, vec![[7; 32]], clock.clone());
        let store = Arc::new(SqliteStore::open(settings).expect("the store opens"));
        let script = Arc::new(Script::new());
        // Longer than it takes a breaker to open, after which no try is used up.
        let schedule = ["10ms"; 12].join(",").parse().expect("a schedule");
        let settings = DriverSettings {
            engine: Settings {
                schedule,
                ..Settings::default()
            },
            seed: 1,
            routes_bytes: usize::MAX,
            http: HttpSettings {
                client: ClientSettings::default(),
                timeout: Duration::from_secs(60),
                policy: TargetPolicy::default(),
                signature_headers: Default::default(),
            },
        };
        let way_out: Arc<dyn Transport> = script.clone();
        let others = Arc::new(Pretended::over(store.clone()));
        let shared: Arc<dyn Store> = others.clone();
        let (handle, driver) = start_with(settings, shared, clock, way_out)
            .await
            .expect("starts");
        Self {
            folder,
            store,
            others,
            script,
            handle,
            driver,
        }
    }

    /// Stops and starts again on the same file.
    pub(crate) async fn again(self) -> Self {
        self.driver.stop(Duration::from_secs(60)).await;
        drop(self.handle);
        drop(self.others);
        self.store.close();
        drop(self.store);
        Self::on(self.folder).await
    }

    pub(crate) async fn app(&self) -> Application {
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

    pub(crate) async fn endpoint(&self, app: AppId) -> EndpointId {
        let endpoint = self.add_endpoint(app).await;
        self.handle.endpoint_changed(&endpoint);
        endpoint.id
    }

    /// An endpoint as it is stored.
    pub(crate) async fn stored(&self, app: AppId, endpoint: EndpointId) -> Endpoint {
        let found = self.handle.store().endpoint(app, EndpointRef::Id(endpoint));
        found.await.expect("it is there")
    }

    /// Waits until nothing is in the engine's memory.
    pub(crate) async fn held_nothing(&self) {
        let waited = async {
            while self.handle.status().lanes.deliveries > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(120), waited).await;
        assert!(waited.is_ok(), "something stays in memory");
    }

    /// Another node adds an endpoint: this one is told nothing.
    pub(crate) async fn add_endpoint(&self, app: AppId) -> Endpoint {
        let endpoint = Endpoint::new(self.handle.new_id(), app, "https://example.com/");
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
        endpoint
    }

    pub(crate) async fn subscribe(&self, app: AppId, endpoint: EndpointId, wanted: &'static str) {
        let edit = Box::new(move |endpoint: &mut Endpoint| {
            endpoint.subscription.event_types = [wanted.parse().expect("a name")].into();
        });
        let store = self.handle.store();
        let edited = store.edit_endpoint(app, EndpointRef::Id(endpoint), edit);
        self.handle.endpoint_changed(&edited.await.expect("edited"));
    }

    pub(crate) async fn send(&self, app: &Application) -> MessageId {
        self.handle
            .accept(app, draft(None))
            .await
            .expect("accepted")
            .id
    }

    /// Waits until as many deliveries have arrived.
    pub(crate) async fn arrived(&self, count: usize) -> Vec<(EndpointId, MessageId)> {
        let enough = |script: &Script| script.arrived.lock().len() >= count;
        self.script.until(enough).await;
        self.script.arrived.lock().clone()
    }

    /// Stops; what was tried is on disk afterwards.
    pub(crate) async fn stop(self) -> Handle {
        self.driver.stop(Duration::from_secs(60)).await;
        self.handle
    }
}

pub(crate) fn draft(idempotency: Option<IdempotencyKey>) -> Draft {
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
