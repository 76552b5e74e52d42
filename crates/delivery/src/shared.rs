//! What the handle, the driver and every attempt share; and the engine behind its lock.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use ringbolt_engine::{Action, Admission, Engine, Input, LaneSettings, LaneState, Target};
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
use crate::mind::{Actions, HeldBack, Mind};
use crate::news::{Inbox, KeyEar};
use crate::routing::Routing;
use crate::transport::Transport;
use crate::waiters::{self, Waiters};
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
    /// Attempts that wait until the store has caught up, and the lease holds.
    pub(crate) held_back: Mutex<VecDeque<HeldBack>>,
    /// Whoever tells the engine of an application or an endpoint does it through this.
    pub(crate) changes: Changes,
    /// Applications of which the engine knows whether they have a rate, and whether they do.
    pub(crate) rated: Mutex<HashMap<AppId, bool>>,
    /// What was heard of other nodes and is to be obeyed.
    pub(crate) inbox: Inbox,
    /// Who is told of keys that others have changed.
    pub(crate) key_ear: OnceLock<KeyEar>,
    pub(crate) guard: GuardedUrl,
    pub(crate) stopping: AtomicBool,
    mind: Mutex<Mind>,
    /// Which engine it is. Changes under its lock only.
    generation: AtomicU32,
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
    pub(crate) mind: Mind,
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
            inbox: Inbox::default(),
            key_ear: OnceLock::new(),
            guard: parts.guard,
            stopping: AtomicBool::new(false),
            mind: Mutex::new(parts.mind),
            generation: AtomicU32::new(0),
        }
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Gives the engine a turn. What it wants done is returned; the lock is released before.
    pub(crate) fn turn<T>(
        &self,
        turn: impl FnOnce(&mut Engine, Timestamp, &mut Vec<Action>) -> T,
    ) -> (T, Actions) {
        let now = self.clock.steady();
        let mut all = Vec::new();
        let mut mind = self.mind.lock();
        let result = turn(&mut mind.engine, now, &mut all);
        let (wake, generation) = (mind.engine.next_wake(), self.generation());
        drop(mind);
        self.wake_by(wake);
        (result, Actions { generation, all })
    }

    /// The same, unless another engine has taken the place of the one that is meant.
    pub(crate) fn turn_of<T>(
        &self,
        generation: u32,
        turn: impl FnOnce(&mut Engine, Timestamp, &mut Vec<Action>) -> T,
    ) -> Option<(T, Actions)> {
        let (result, actions) = self.turn(|engine, now, out| {
            (generation == self.generation()).then(|| turn(engine, now, out))
        });
        Some((result?, actions))
    }

    /// Which engine it is. Certain only during a turn.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Relaxed)
    }

    /// Everything that is in memory is others' from now on: another engine begins with nothing.
    pub(crate) fn disowned(&self) {
        let before = self.changes.note_all(|| {
            let mut mind = self.mind.lock();
            self.generation.fetch_add(1, Relaxed);
            self.rated.lock().clear();
            self.held_back.lock().clear();
            mind.renew()
        });
        drop(before);
    }

    /// A new id.
    pub(crate) fn new_id<I: From<u64>>(&self) -> I {
        self.ids.next_of(self.store.slot(), self.clock.now())
    }

    /// Looks at the engine without changing it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.mind.lock().engine)
    }

    fn wake_by(&self, moment: Option<Timestamp>) {
        let Some(moment) = moment.map(Timestamp::as_micros) else {
            return;
        };
        if moment < self.wakes_at.load(Relaxed) {
            self.wake.notify_one();
        }
    }

    /// Which of the targets go into memory, and of which engine. Needs no actions: admitting starts nothing.
    pub(crate) fn admit(
        &self,
        now: Timestamp,
        message: MessageId,
        payload_bytes: usize,
        targets: &[Target],
    ) -> (Admission, u32) {
        let mut mind = self.mind.lock();
        let admission = mind.engine.admit(now, message, payload_bytes, targets);
        (admission, self.generation())
    }

    /// Whether a message for these targets had better wait a little: those of many lanes fill the memory,
    /// so they wait for room in it long before the others do.
    pub(crate) fn crowded(&self, targets: &[Target]) -> bool {
        if targets.is_empty() {
            return false;
        }
        let mind = self.mind.lock();
        let engine = &mind.engine;
        let pressure = engine.pressure();
        if targets.len() > LOOKED_AT {
            return pressure.flowing > pressure.most_deliveries / 2;
        }
        pressure.flowing > pressure.most_deliveries / 8 * 7
            || targets.iter().any(|target| lane_is_crowded(engine, target))
    }

    /// Gives back what an accept had reserved.
    pub(crate) fn abandoned(self: &Arc<Self>, accept: &Accept) {
        let input = Input::Abandoned {
            message: accept.message.id,
            fresh: accept.fresh.clone(),
            stored: accept.stored.clone(),
        };
        self.tell_of(waiters::generation(accept.ticket), input);
    }

    /// Tells an engine something, and does what it wants, unless another has taken its place.
    pub(crate) fn tell_of(self: &Arc<Self>, generation: u32, input: Input) {
        let told = self.turn_of(generation, |engine, now, out| {
            engine.handle(now, input, out)
        });
        if let Some(((), actions)) = told {
            self.perform(actions);
        }
    }

    /// Tells the engine something, and does what it wants.
    pub(crate) fn tell(self: &Arc<Self>, input: Input) {
        let ((), actions) = self.turn(|engine, now, out| engine.handle(now, input, out));
        self.perform(actions);
    }

    /// Tells the engine the rate of an application.
    pub(crate) fn rate(self: &Arc<Self>, app: &Application) {
        let has_one = app.throttle_rate.is_some();
        let had_one = self.rated.lock().insert(app.id, has_one);
        if !has_one && had_one != Some(true) {
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
