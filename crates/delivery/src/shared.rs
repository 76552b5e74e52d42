//! What the handle, the driver and every attempt share; and the engine behind its lock.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use ringbolt_engine::{Action, Admission, Engine, Input, LaneSettings, LaneState, Start, Target};
use ringbolt_model::{AppId, Application, Clock, Endpoint, IdMaker, MessageId, Timestamp};
use ringbolt_store::{Accept, Receipt, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::Answer;
use crate::breaker_lines::BreakerLines;
use crate::changes::Changes;
use crate::message_lines::MessageLines;
use crate::metrics::Metrics;
use crate::routing::Routing;
use crate::transport::Transport;
use crate::waiters::Waiters;
use crate::workers::Workers;

/// Everything that is shared.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: IdMaker,
    pub(crate) routing: Routing,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) waiters: Waiters<Answer>,
    pub(crate) metrics: Metrics,
    pub(crate) workers: Workers,
    pub(crate) breaker_lines: BreakerLines,
    pub(crate) message_lines: MessageLines,
    pub(crate) tracker: TaskTracker,
    /// Cancelled when no attempt may begin any more.
    pub(crate) soft: CancellationToken,
    /// Receipts of transactions that the driver has not looked at yet.
    pub(crate) receipts: Mutex<Vec<Receipt>>,
    /// Wakes the driver: receipts, or an earlier moment to wake.
    pub(crate) wake: Notify,
    /// When the driver will wake by itself, in microseconds.
    pub(crate) wakes_at: AtomicI64,
    /// Outcomes handed to the store whose receipts have not come back.
    pub(crate) unwritten: AtomicUsize,
    /// Pending deliveries that have rows, as last counted.
    pub(crate) pending: AtomicU64,
    /// Attempts that wait until the store has caught up.
    pub(crate) held_back: Mutex<VecDeque<Start>>,
    /// Whoever tells the engine of an application or an endpoint does it through this.
    pub(crate) changes: Changes,
    /// Applications whose rate the engine knows.
    pub(crate) rated: Mutex<HashSet<AppId>>,
    pub(crate) guard: GuardedUrl,
    pub(crate) stopping: AtomicBool,
    engine: Mutex<Engine>,
}

/// Checks a URL that a user gives; see [`crate::Handle::check_url`].
pub(crate) type GuardedUrl = Box<dyn Fn(&str) -> Result<String, crate::UrlRefused> + Send + Sync>;

/// What a [`Shared`] is made of.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: IdMaker,
    pub(crate) routing: Routing,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) guard: GuardedUrl,
    pub(crate) engine: Engine,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            store: parts.store,
            clock: parts.clock,
            ids: parts.ids,
            routing: parts.routing,
            transport: parts.transport,
            waiters: Waiters::default(),
            metrics: Metrics::default(),
            workers: Workers::default(),
            breaker_lines: BreakerLines::default(),
            message_lines: MessageLines::default(),
            tracker: TaskTracker::new(),
            soft: CancellationToken::new(),
            receipts: Mutex::default(),
            wake: Notify::new(),
            wakes_at: AtomicI64::new(i64::MAX),
            unwritten: AtomicUsize::new(0),
            pending: AtomicU64::new(0),
            held_back: Mutex::default(),
            changes: Changes::default(),
            rated: Mutex::default(),
            guard: parts.guard,
            stopping: AtomicBool::new(false),
            engine: Mutex::new(parts.engine),
        }
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Gives the engine a turn. What it wants done is returned; the lock is released before.
    pub(crate) fn turn<T>(
        &self,
        turn: impl FnOnce(&mut Engine, Timestamp, &mut Vec<Action>) -> T,
    ) -> (T, Vec<Action>) {
        let now = self.clock.steady();
        let mut actions = Vec::new();
        let mut engine = self.engine.lock();
        let result = turn(&mut engine, now, &mut actions);
        let wake = engine.next_wake();
        drop(engine);
        self.wake_by(wake);
        (result, actions)
    }

    /// Looks at the engine without changing it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.engine.lock())
    }

    fn wake_by(&self, moment: Option<Timestamp>) {
        let Some(moment) = moment.map(Timestamp::as_micros) else {
            return;
        };
        if moment < self.wakes_at.load(Relaxed) {
            self.wake.notify_one();
        }
    }

    /// Which of the targets go into memory. Needs no actions: admitting starts nothing.
    pub(crate) fn admit(
        &self,
        now: Timestamp,
        message: MessageId,
        payload_bytes: usize,
        targets: &[Target],
    ) -> Admission {
        self.engine
            .lock()
            .admit(now, message, payload_bytes, targets)
    }

    /// Whether a message for these targets had better wait a little: those of many lanes fill the memory,
    /// so they wait for room in it long before the others do.
    pub(crate) fn crowded(&self, targets: &[Target]) -> bool {
        if targets.is_empty() {
            return false;
        }
        let engine = self.engine.lock();
        let pressure = engine.pressure();
        if targets.len() > LOOKED_AT {
            return pressure.flowing > pressure.most_deliveries / 2;
        }
        pressure.flowing > pressure.most_deliveries / 8 * 7
            || targets
                .iter()
                .any(|target| lane_is_crowded(&engine, target))
    }

    /// Gives back what an accept had reserved.
    pub(crate) fn abandoned(self: &Arc<Self>, accept: &Accept) {
        let input = Input::Abandoned {
            message: accept.message.id,
            fresh: accept.fresh.clone(),
            stored: accept.stored.clone(),
        };
        self.tell(input);
    }

    /// Tells the engine something, and does what it wants.
    pub(crate) fn tell(self: &Arc<Self>, input: Input) {
        let ((), actions) = self.turn(|engine, now, out| engine.handle(now, input, out));
        self.perform(actions);
    }

    /// Tells the engine the rate of an application.
    pub(crate) fn rate(self: &Arc<Self>, app: &Application) {
        let new = self.rated.lock().insert(app.id);
        if new && app.throttle_rate.is_none() {
            return;
        }
        let (app, rate) = (app.id, app.throttle_rate);
        self.tell(Input::ApplicationRate { app, rate });
    }

    /// An endpoint has rows that are due.
    pub(crate) fn stored(self: &Arc<Self>, endpoint: &Endpoint, due: Timestamp, manual: bool) {
        self.tell(Input::Stored {
            target: target(endpoint),
            due,
            manual,
        });
    }
}

/// How many lanes of a message are looked at one by one; those of more are judged all together.
const LOOKED_AT: usize = 8;
/// How many deliveries in the memory of a lane at work make its senders wait a little.
const CROWD: usize = 2048;

fn lane_is_crowded(engine: &Engine, target: &Target) -> bool {
    let lane = engine.lane_view(target.endpoint);
    lane.is_some_and(|lane| lane.state == LaneState::Active && lane.deliveries > CROWD)
}

/// The lane of an endpoint, as the engine is told of it.
pub(crate) fn target(endpoint: &Endpoint) -> Target {
    let settings = Arc::new(LaneSettings::from(endpoint));
    Target {
        endpoint: endpoint.id,
        app: endpoint.app,
        settings,
    }
}
