//! The API on a real machine and a real store, with a receiver that answers as it is told.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use axum::{BoxError, Router};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use parking_lot::Mutex;
use ringbolt_api::{Api, ApiSettings, DEFAULT_MAX_PAYLOAD, HotRoute};
use ringbolt_delivery::{Driver, DriverSettings, HttpSettings, start};
use ringbolt_gate::token::TokenHash;
use ringbolt_model::{Clock, SignatureHeaders, Timestamp};
use ringbolt_net::{ClientSettings, Guard, TargetPolicy};
use ringbolt_store::{SqliteSettings, SqliteStore};
use ringbolt_testkit::Pretended;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

pub(crate) const ADMIN: &str = "the admin's token";

/// Runs with the runtime's clock, from a known moment on, and can be moved ahead.
#[derive(Default)]
pub(crate) struct Watch {
    ahead: Mutex<Duration>,
    begun: Mutex<Option<tokio::time::Instant>>,
}

impl Watch {
    pub(crate) fn advance(&self, by: Duration) {
        *self.ahead.lock() += by;
    }
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        let begun = *self
            .begun
            .lock()
            .get_or_insert_with(tokio::time::Instant::now);
        Timestamp::from_seconds(1_800_000_000) + begun.elapsed() + *self.ahead.lock()
    }

    fn steady(&self) -> Timestamp {
        self.now()
    }
}

/// How a receiver answers.
type Taken = (StatusCode, [(&'static str, &'static str); 1], &'static str);

/// An endpoint's receiver: what arrived, and whether it takes it.
#[derive(Default)]
pub(crate) struct Receiver {
    pub(crate) arrived: Mutex<Vec<(String, Bytes)>>,
    pub(crate) fails: AtomicBool,
}

impl Receiver {
    /// Listens; gives its URL.
    async fn listen(self: &Arc<Self>, tracker: &TaskTracker) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let receiver = self.clone();
        let take = move |headers: http::HeaderMap, body: Bytes| {
            let receiver = receiver.clone();
            async move { receiver.take(&headers, body) }
        };
        let router = Router::new().route("/hook", axum::routing::post(take));
        tracker.spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn take(&self, headers: &http::HeaderMap, body: Bytes) -> Taken {
        let id = headers["webhook-id"].to_str().expect("an id").to_owned();
        self.arrived.lock().push((id, body));
        let status = if self.fails.load(Relaxed) {
            StatusCode::CONFLICT
        } else {
            StatusCode::OK
        };
        (status, [("x-a", "1")], "thanks")
    }
}

/// The API with all that is behind it.
pub(crate) struct House {
    pub(crate) api: Api,
    pub(crate) router: Router,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) url: String,
    pub(crate) clock: Arc<Watch>,
    /// The store, and the other nodes that share it.
    pub(crate) others: Arc<Pretended>,
    _driver: Driver,
    _folder: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.bytes)
        );
        self.json()
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(Watch::default());
        let shown: Arc<dyn Clock> = clock.clone();
        let path = folder.path().join("ringbolt.db");
        let settings = SqliteSettings::new(path, vec![[7; 32]], shown.clone());
        let store = Arc::new(SqliteStore::open(settings).expect("a store"));
        let others = Arc::new(Pretended::over(store.clone()));
        let guard = Guard::new(vec!["127.0.0.0/8".parse().expect("a network")]);
        let mut settings = DriverSettings {
            engine: Default::default(),
            seed: 1,
            routes_bytes: usize::MAX,
            http: HttpSettings {
                policy: TargetPolicy::beside(&guard),
                client: ClientSettings {
                    guard,
                    ..ClientSettings::default()
                },
                timeout: Duration::from_secs(60),
                signature_headers: SignatureHeaders::Standard,
            },
        };
        settings.engine.schedule = "10ms,10ms".parse().expect("a schedule");
        let (handle, driver) = start(settings, others.clone(), shown)
            .await
            .expect("a machine");
        let receiver = Arc::new(Receiver::default());
        let url = receiver.listen(&TaskTracker::new()).await;
        let settings = ApiSettings {
            public_url: "https://hooks.example.com".into(),
            admin_token: TokenHash::of(ADMIN),
            max_payload: DEFAULT_MAX_PAYLOAD,
            cors_origins: vec!["https://app.example.com".into()],
            metrics_open: false,
        };
        let api = Api::new(settings, handle).expect("an API");
        let router = api.router();
        Self {
            api,
            router,
            receiver,
            url,
            clock,
            others,
            _driver: driver,
            _folder: folder,
        }
    }

    /// Sends a request to the router, or to the hot route if it is for that.
    pub(crate) async fn send<B>(&self, request: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes, Error: Display + Into<BoxError>> + Unpin + Send + 'static,
    {
        if HotRoute::matches(request.method(), request.uri().path()) {
            return read(self.api.hot().serve(request).await).await;
        }
        self.route(request).await
    }

    /// Sends a request to the router, whatever it is for.
    pub(crate) async fn route<B>(&self, request: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let request = request.map(axum::body::Body::new);
        let Ok(answer) = self.router.clone().oneshot(request).await;
        read(answer).await
    }

    /// Asks as somebody; `path` is below `/api/v1`.
    pub(crate) async fn ask(&self, token: &str, what: &str, body: Value) -> Answer {
        self.send(request(token, what, body)).await
    }

    /// Asks as the admin.
    pub(crate) async fn admin(&self, what: &str, body: Value) -> Answer {
        self.ask(ADMIN, what, body).await
    }

    /// Creates an application.
    pub(crate) async fn application(&self) -> String {
        text(
            &self
                .admin("POST /app", json!({"name": "a"}))
                .await
                .expect(201)["id"],
        )
    }

    /// Creates an endpoint.
    pub(crate) async fn endpoint(&self, app: &str) -> String {
        let body = json!({"url": self.url});
        let made = self
            .admin(&format!("POST /app/{app}/endpoint"), body)
            .await
            .expect(201);
        text(&made["id"])
    }

    /// Creates a key and gives its token.
    pub(crate) async fn key(&self, body: Value) -> String {
        text(&self.admin("POST /key", body).await.expect(201)["token"])
    }

    /// Sends a message.
    pub(crate) async fn message(&self, app: &str) -> String {
        let body = json!({"eventType": "a.b", "payload": {"n": 1}});
        text(
            &self
                .admin(&format!("POST /app/{app}/msg"), body)
                .await
                .expect(202)["id"],
        )
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let answer = self.admin(what, Value::Null).await.json();
                if wanted(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting)
            .await
            .expect("it becomes so")
    }
}

/// A request written as `METHOD /path`.
pub(crate) fn request(token: &str, what: &str, body: Value) -> Request<Full<Bytes>> {
    let (method, path) = what.split_once(' ').expect("a method and a path");
    let path = match path {
        "/metrics" | "/openapi.json" | "/docs/" | "/docs" => path.to_owned(),
        below => format!("/api/v1{below}"),
    };
    let body = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).expect("a method");
    *request.uri_mut() = path.parse().expect("a path");
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse().expect("a header");
        request.headers_mut().insert("authorization", value);
    }
    request
}

async fn read<B>(answer: http::Response<B>) -> Answer
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (head, body) = answer.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    assert!(
        head.status != StatusCode::INTERNAL_SERVER_ERROR,
        "{bytes:?}"
    );
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        bytes,
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
