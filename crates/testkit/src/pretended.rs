//! A store that pretends to be shared with other nodes: a real one, of which these say or change something now and then.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use parking_lot::Mutex;
use ringbolt_model::endpoint::Failing;
use ringbolt_model::{
    ApiKey, AppId, Application, Attempt, AttemptId, CustomHeaders, DisableReason, Endpoint,
    EndpointId, EndpointSecrets, EventType, EventTypeName, KeyId, Message, MessageId, Timestamp,
};
use ringbolt_store::{
    AcceptRefused, Answers, AppRef, AttemptFilter, Catalogue, Cluster, Counts, Deliveries,
    DeliveryView, Destination, DuePage, Ear, Edit, EndpointRef, EventTypesShown, FailingEndpoint,
    Health, Journal, KeptAnswer, Keys, LaneWork, Listener, Listing, Log, MessageFilter, MessageRef,
    NewEndpoint, News, Node, NodeLoad, Page, Receipt, Recovered, ResendRefused, Sizes, SqliteStore,
    StoreError, Tidied, Upkeep, Working, Write,
};

/// A store of which one test is the other nodes.
pub struct Pretended {
    inner: Arc<SqliteStore>,
    listener: OnceLock<Arc<Listener>>,
    ear: OnceLock<Ear>,
    /// The version of all routes: whoever routed by another is refused.
    pub version: AtomicU64,
    /// Before so many messages are committed it grows.
    pub moves: AtomicU32,
    /// Its number in ids.
    pub slot: AtomicU16,
    /// Its lease has run out.
    pub lapsed: AtomicBool,
    /// How often it was asked whether it has.
    pub asked_of_lease: AtomicU32,
    /// It may accept nothing.
    pub refuses: AtomicBool,
    /// Others have taken over: outcomes are not recorded.
    pub fenced: AtomicBool,
    /// How many messages were refused for their routes.
    pub stale: AtomicU32,
    /// How many outcomes were not recorded.
    pub disowned: AtomicU32,
    /// How often it was asked for lanes with work.
    pub looked_for_lanes: AtomicU32,
    /// What the node has said of itself.
    pub loads: Mutex<Vec<NodeLoad>>,
    /// Whether the node has given up its lease.
    pub left: AtomicBool,
}

impl Pretended {
    /// Over this store, in which nobody else does anything until told so.
    #[must_use]
    pub fn over(inner: Arc<SqliteStore>) -> Self {
        Self {
            inner,
            listener: OnceLock::new(),
            ear: OnceLock::new(),
            version: AtomicU64::new(1),
            moves: AtomicU32::new(0),
            asked_of_lease: AtomicU32::new(0),
            slot: AtomicU16::new(0),
            lapsed: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            fenced: AtomicBool::new(false),
            stale: AtomicU32::new(0),
            disowned: AtomicU32::new(0),
            looked_for_lanes: AtomicU32::new(0),
            loads: Mutex::default(),
            left: AtomicBool::new(false),
        }
    }

    /// Another node is heard of.
    ///
    /// # Panics
    /// If nobody listens yet.
    pub fn tell(&self, news: News) {
        self.ear.get().expect("somebody listens")(news);
    }

    /// The version at the commit of a message.
    fn version_at_last(&self) -> u64 {
        let one_less = |left: u32| left.checked_sub(1);
        if self.moves.fetch_update(SeqCst, SeqCst, one_less).is_ok() {
            self.version.fetch_add(1, SeqCst);
        }
        self.version.load(SeqCst)
    }

    fn receipt(&self, receipt: Receipt) {
        self.listener.get().expect("somebody listens")(vec![receipt]);
    }
}

impl Journal for Pretended {
    fn submit(&self, write: Write) -> Result<(), Box<Write>> {
        match write {
            Write::Accept(accept) if accept.routes != self.version_at_last() => {
                self.stale.fetch_add(1, SeqCst);
                self.receipt(Receipt::Accept(accept, Err(AcceptRefused::Stale)));
                Ok(())
            }
            Write::Outcome(outcome) if self.fenced.load(SeqCst) => {
                self.disowned.fetch_add(1, SeqCst);
                let delivery = outcome.attempt.delivery;
                self.receipt(Receipt::Disowned { delivery });
                Ok(())
            }
            write => self.inner.submit(write),
        }
    }

    fn listen(&self, listener: Listener) {
        let listener = Arc::new(listener);
        let for_inner = listener.clone();
        assert!(self.listener.set(listener).is_ok(), "set once");
        self.inner
            .listen(Box::new(move |receipts| for_inner(receipts)));
    }
}

#[async_trait]
impl Cluster for Pretended {
    fn hear(&self, ear: Ear) {
        assert!(self.ear.set(ear).is_ok(), "set once");
    }

    fn slot(&self) -> u16 {
        self.slot.load(SeqCst)
    }

    fn may_send(&self) -> bool {
        self.asked_of_lease.fetch_add(1, SeqCst);
        !self.lapsed.load(SeqCst)
    }

    fn may_accept(&self) -> Result<(), StoreError> {
        match self.refuses.load(SeqCst) {
            true => Err(StoreError::Unavailable("the clocks differ".into())),
            false => Ok(()),
        }
    }

    fn report(&self, load: NodeLoad) {
        self.loads.lock().push(load);
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.inner.nodes().await
    }

    async fn leave(&self) -> Result<(), StoreError> {
        self.left.store(true, SeqCst);
        Ok(())
    }
}

/// A part of the store that is the real one's, but for what is written out.
macro_rules! part {
    ($part:ident { $($own:item)* } $(fn $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl $part for Pretended {
            $($own)*
            $(async fn $name(&self, $($arg: $type),*) -> $out {
                self.inner.$name($($arg),*).await
            })*
        }
    };
}

type Stored<T> = Result<T, StoreError>;

part!(Catalogue {
        async fn routes_version(&self, app: AppId) -> Stored<u64> {
            self.inner.routes_version(app).await?;
            Ok(self.version.load(SeqCst))
        }
    }
    fn create_application(app: Application) -> Stored<()>;
    fn application(app: AppRef) -> Stored<Application>;
    fn applications(page: Page<AppId>) -> Stored<Listing<Application, AppId>>;
    fn edit_application(app: AppRef, edit: Edit<Application>) -> Stored<Application>;
    fn delete_application(app: AppRef) -> Stored<Vec<EndpointId>>;
    fn create_endpoint(endpoint: NewEndpoint) -> Stored<()>;
    fn endpoint(app: AppId, endpoint: EndpointRef) -> Stored<Endpoint>;
    fn destination(endpoint: EndpointId) -> Stored<Destination>;
    fn endpoints(app: AppId, page: Page<EndpointId>) -> Stored<Listing<Endpoint, EndpointId>>;
    fn edit_endpoint(app: AppId, endpoint: EndpointRef, edit: Edit<Endpoint>) -> Stored<Endpoint>;
    fn edit_secrets(endpoint: EndpointId, edit: Edit<EndpointSecrets>) -> Stored<EndpointSecrets>;
    fn edit_headers(endpoint: EndpointId, edit: Edit<CustomHeaders>) -> Stored<CustomHeaders>;
    fn delete_endpoint(app: AppId, endpoint: EndpointRef) -> Stored<EndpointId>;
    fn disable_endpoint(endpoint: EndpointId, reason: DisableReason, now: Timestamp) -> Stored<bool>;
    fn keep_failing(endpoint: EndpointId, failing: Option<Failing>) -> Stored<()>;
    fn failing_endpoints(page: Page<EndpointId>, since: Timestamp) -> Stored<Listing<FailingEndpoint, EndpointId>>;
    fn create_event_type(event_type: EventType) -> Stored<()>;
    fn event_type(name: EventTypeName) -> Stored<EventType>;
    fn event_types(page: Page<EventTypeName>, shown: EventTypesShown) -> Stored<Listing<EventType, EventTypeName>>;
    fn known_event_types(names: Vec<EventTypeName>) -> Stored<Vec<(EventTypeName, Option<String>)>>;
    fn edit_event_type(name: EventTypeName, edit: Edit<EventType>) -> Stored<EventType>;
    fn expunge_event_type(name: EventTypeName) -> Stored<()>;
);

part!(Deliveries {
        async fn lanes_with_work(&self) -> Stored<Vec<LaneWork>> {
            self.looked_for_lanes.fetch_add(1, SeqCst);
            self.inner.lanes_with_work().await
        }
    }
    fn reopen(now: Timestamp) -> Stored<usize>;
    fn due(endpoint: EndpointId, now: Timestamp, limit: usize, bytes: usize) -> Stored<DuePage>;
    fn resend(app: AppId, message: MessageId, endpoint: EndpointId, now: Timestamp) -> Result<Timestamp, ResendRefused>;
    fn recover(endpoint: EndpointId, since: Timestamp, until: Timestamp, reached: Option<MessageId>, limit: usize, now: Timestamp) -> Stored<Recovered>;
    fn pending() -> Stored<u64>;
);

part!(Answers {}
    fn kept_answer(key: [u8; 16], now: Timestamp) -> Stored<Option<KeptAnswer>>;
    fn keep_answer(key: [u8; 16], answer: KeptAnswer, now: Timestamp) -> Stored<()>;
);

part!(Keys {}
    fn create_key(key: ApiKey) -> Stored<()>;
    fn key_by_hash(hash: [u8; 32]) -> Stored<ApiKey>;
    fn keys(app: Option<AppId>, page: Page<KeyId>) -> Stored<Listing<ApiKey, KeyId>>;
    fn revoke_key(key: KeyId, now: Timestamp) -> Stored<()>;
    fn end_portals(app: AppId, sessions: Vec<String>, end: Timestamp, after: Option<KeyId>) -> Stored<Vec<KeyId>>;
    fn keys_used(used: Vec<(KeyId, Timestamp)>) -> Stored<()>;
);

part!(Log {}
    fn message(app: AppId, message: MessageRef, with_content: bool) -> Stored<Message>;
    fn messages(app: AppId, filter: MessageFilter, page: Page<MessageId>) -> Stored<Listing<Message, MessageId>>;
    fn endpoint_messages(endpoint: EndpointId, filter: MessageFilter, page: Page<MessageId>) -> Stored<Listing<(Message, DeliveryView), MessageId>>;
    fn message_deliveries(app: AppId, message: MessageId, page: Page<EndpointId>) -> Stored<Listing<(Endpoint, DeliveryView), EndpointId>>;
    fn expunge_message(app: AppId, message: MessageId) -> Stored<()>;
    fn attempt(app: AppId, message: MessageId, attempt: AttemptId) -> Stored<Attempt>;
    fn endpoint_attempts(endpoint: EndpointId, filter: AttemptFilter, page: Page<AttemptId>) -> Stored<Listing<Attempt, AttemptId>>;
    fn message_attempts(app: AppId, message: MessageId, filter: AttemptFilter, page: Page<AttemptId>) -> Stored<Listing<Attempt, AttemptId>>;
    fn expunge_attempt(app: AppId, message: MessageId, attempt: AttemptId) -> Stored<()>;
    fn endpoint_counts(endpoint: EndpointId, since: Timestamp, until: Timestamp) -> Stored<Counts>;
);

part!(Upkeep {
        fn health(&self) -> Health {
            self.inner.health()
        }

        fn sizes(&self) -> Sizes {
            self.inner.sizes()
        }

        fn workers(&self) -> Vec<Working> {
            self.inner.workers()
        }
    }
    fn tidy(now: Timestamp) -> Stored<Tidied>;
    fn largest_id() -> Stored<u64>;
    fn backup(to: PathBuf) -> Stored<()>;
    fn reencrypt() -> Stored<usize>;
);
