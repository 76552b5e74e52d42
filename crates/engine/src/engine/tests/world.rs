//! A world in small around an engine: a store whose answers take their time, and endpoints that fail.

mod happening;
mod judging;
mod network;
mod store;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringbolt_model::{AppId, DeliveryKey, EndpointId, Message, MessageId, Timestamp, Trigger};

use crate::random::Random;
use crate::{Change, Decision, Endpoints, Engine, Input, LaneSettings, Settings, Start, Target};

pub(super) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
const TIMEOUT: Duration = Duration::from_secs(15);

/// How an endpoint behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Answers 200 after so many milliseconds.
    Good(u64),
    /// Answers 500 at once.
    Fails,
    /// Does not answer.
    Hangs,
    /// Answers 410.
    Gone,
    /// Answers 429, or 500 if not for the lane, with so many seconds to wait.
    Asks(u64, bool),
}

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) target: Target,
    pub(super) mode: Mode,
    pub(super) removed: bool,
    /// Starts since its rate was last changed.
    starts: VecDeque<Timestamp>,
}

/// What the store knows about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Its message is durable, it has no row.
    Fresh,
    /// It has a row.
    Row {
        due: Timestamp,
        attempts: u32,
        trigger: Trigger,
    },
    Ended(Change),
}

#[derive(Debug)]
enum Event {
    Commit {
        message: Arc<Message>,
        fresh: Endpoints,
        stored: Endpoints,
        fails: bool,
    },
    Tell(Input),
    /// With the settings of that moment.
    Configure(EndpointId),
    Answer {
        delivery: DeliveryKey,
    },
    Record {
        delivery: DeliveryKey,
        decision: Decision,
    },
    ReadPage {
        endpoint: EndpointId,
        limit: usize,
        bytes: usize,
    },
    WriteSpill {
        deliveries: Vec<DeliveryKey>,
    },
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) now: Timestamp,
    pub(super) settings: Settings,
    pub(super) endpoints: BTreeMap<EndpointId, Endpoint>,
    pub(super) deliveries: BTreeMap<DeliveryKey, Known>,
    pub(super) messages: BTreeMap<MessageId, Arc<Message>>,
    pub(super) in_flight: BTreeMap<DeliveryKey, (Start, Timestamp)>,
    /// Every action, in words, for comparing runs.
    pub(super) log: Vec<String>,
    /// The deliveries in the order of their successes.
    pub(super) arrived: Vec<DeliveryKey>,
    pub(super) starts: u64,
    /// The messages in the order in which tries began.
    pub(super) started: Vec<u64>,
    pub(super) reads: u64,
    pub(super) keep_log: bool,
    pub(super) loads_fail: bool,
    rarely: bool,
    rows: BTreeSet<(EndpointId, Timestamp, MessageId)>,
    events: BTreeMap<(Timestamp, u64), Event>,
    tickets: u64,
    random: Random,
    last_commit: Timestamp,
    last_told: Timestamp,
    of_lane: BTreeMap<EndpointId, usize>,
    next_message: u64,
    app_rates: BTreeMap<AppId, (u16, VecDeque<Timestamp>)>,
}

impl World {
    pub(super) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            engine: Engine::new(settings.clone(), seed),
            now: START,
            settings,
            endpoints: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            messages: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            log: Vec::new(),
            arrived: Vec::new(),
            starts: 0,
            started: Vec::new(),
            reads: 0,
            keep_log: false,
            loads_fail: false,
            rarely: false,
            rows: BTreeSet::new(),
            events: BTreeMap::new(),
            tickets: 0,
            random: Random::new(seed ^ 0xabcdef),
            last_commit: START,
            last_told: START,
            of_lane: BTreeMap::new(),
            next_message: 1,
            app_rates: BTreeMap::new(),
        }
    }

    pub(super) fn add_endpoint(&mut self, n: u64, app: u64, mode: Mode) -> EndpointId {
        let (endpoint, app) = (EndpointId::from(n), AppId::from(app));
        let target = Target {
            endpoint,
            app,
            settings: Arc::default(),
        };
        let endpoint_ = Endpoint {
            target,
            mode,
            removed: false,
            starts: VecDeque::new(),
        };
        self.endpoints.insert(endpoint, endpoint_);
        endpoint
    }

    /// Accepts a message for these endpoints.
    pub(super) fn send(&mut self, to: &[EndpointId], bytes: usize, fails: bool) -> MessageId {
        let id = MessageId::from(self.next_message);
        self.next_message += 1;
        let alive: Vec<Target> = to
            .iter()
            .map(|endpoint| &self.endpoints[endpoint])
            .filter(|endpoint| !endpoint.removed)
            .map(|endpoint| endpoint.target.clone())
            .collect();
        let message = Arc::new(Message {
            id,
            app: AppId::from(1),
            event_type: "a".parse().unwrap(),
            event_id: None,
            channels: Arc::default(),
            tags: Arc::default(),
            content_type: "application/json".into(),
            payload: Some(Bytes::from(vec![b'x'; bytes])),
            expires_at: None,
        });
        let admission = self.engine.admit(self.now, id, bytes, &alive);
        assert_eq!(admission.fresh.len() + admission.stored.len(), alive.len());
        let (fresh, stored) = (admission.fresh, admission.stored);
        // One writer: commits end in order.
        self.last_commit = self.last_commit.max(self.now + self.millis(1, 4));
        let commit = Event::Commit {
            message,
            fresh,
            stored,
            fails,
        };
        self.at(self.last_commit, commit);
        id
    }

    /// With very many lanes each look at all of them takes long.
    pub(super) const fn audit_rarely(&mut self) {
        self.rarely = true;
    }

    /// Lets time pass, with all that happens in it.
    pub(super) fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let event = self.events.keys().next().map(|(at, _)| *at);
            let wake = self.engine.next_wake();
            let Some(next) = event.into_iter().chain(wake).min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if event == Some(next) {
                let (_, event) = self.events.pop_first().unwrap();
                self.happen(event);
            } else {
                self.tell(Input::Wake);
                let wake = self.engine.next_wake();
                assert!(wake.is_none_or(|at| at > self.now), "it wakes without end");
            }
        }
        self.now = end;
    }

    pub(super) fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.handle(self.now, input, &mut out);
        self.act(out);
    }

    pub(super) fn configure(
        &mut self,
        endpoint: EndpointId,
        change: impl FnOnce(&mut LaneSettings),
    ) {
        let known = self.endpoints.get_mut(&endpoint).unwrap();
        let rate = known.target.settings.rate;
        change(Arc::make_mut(&mut known.target.settings));
        if known.target.settings.rate != rate {
            known.starts.clear();
        }
        let target = known.target.clone();
        if !known.removed {
            self.tell(Input::Configure { target });
        }
    }

    pub(super) fn set_rate(&mut self, endpoint: EndpointId, rate: u32) {
        self.configure(endpoint, |settings| settings.rate = NonZeroU32::new(rate));
    }

    pub(super) fn set_app_rate(&mut self, app: u64, rate: u16) {
        let (app, rate) = (AppId::from(app), NonZeroU16::new(rate));
        self.app_rates.remove(&app);
        if let Some(rate) = rate {
            self.app_rates.insert(app, (rate.get(), VecDeque::new()));
        }
        self.tell(Input::ApplicationRate { app, rate });
    }

    pub(super) fn remove(&mut self, endpoint: EndpointId) {
        self.endpoints.get_mut(&endpoint).unwrap().removed = true;
        let rows: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.0 == endpoint)
            .copied()
            .collect();
        for (endpoint, _, message) in rows {
            self.set(
                DeliveryKey { message, endpoint },
                Known::Ended(Change::Cancelled),
            );
        }
        self.tell(Input::Remove { endpoint });
    }

    /// Somebody asks for a delivery that has ended.
    pub(super) fn resend(&mut self, delivery: DeliveryKey) {
        let target = self.endpoints[&delivery.endpoint].target.clone();
        let row = Known::Row {
            due: self.now,
            attempts: 0,
            trigger: Trigger::Manual,
        };
        self.set(delivery, row);
        let stored = Input::Stored {
            target,
            due: self.now,
            manual: true,
        };
        self.soon(0, 3, Event::Tell(stored));
    }

    /// The process dies and starts again: what is not in the store is gone.
    pub(super) fn crash(&mut self, seed: u64) {
        self.events.clear();
        self.in_flight.clear();
        self.of_lane.clear();
        self.engine = Engine::new(self.settings.clone(), seed);
        let known: Vec<_> = self
            .deliveries
            .iter()
            .map(|(key, known)| (*key, *known))
            .collect();
        for (key, _) in known.iter().filter(|(_, known)| *known == Known::Fresh) {
            let row = Known::Row {
                due: self.now,
                attempts: 0,
                trigger: Trigger::Scheduled,
            };
            let gone = self.endpoints[&key.endpoint].removed;
            self.set(
                *key,
                if gone {
                    Known::Ended(Change::Cancelled)
                } else {
                    row
                },
            );
        }
        for (app, (rate, starts)) in &mut self.app_rates {
            starts.clear();
            let rate = Input::ApplicationRate {
                app: *app,
                rate: NonZeroU16::new(*rate),
            };
            self.engine.handle(self.now, rate, &mut Vec::new());
        }
        let mut first: BTreeMap<EndpointId, Timestamp> = BTreeMap::new();
        for (endpoint, due, _) in &self.rows {
            first.entry(*endpoint).or_insert(*due);
        }
        for endpoint in self.endpoints.values_mut() {
            endpoint.starts.clear();
        }
        for (endpoint, due) in first {
            let target = self.endpoints[&endpoint].target.clone();
            self.tell(Input::Stored {
                target,
                due,
                manual: false,
            });
        }
    }

    pub(super) fn is_done(&self) -> bool {
        let ended = |known: &Known| matches!(known, Known::Ended(_));
        self.in_flight.is_empty() && self.deliveries.values().all(ended)
    }

    pub(super) fn pick(&mut self, most: u32) -> u32 {
        self.random.next() % most.max(1)
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        let span = (most - least) as u32 * 1000;
        Duration::from_micros(least * 1000 + u64::from(self.pick(span + 1)))
    }

    fn at(&mut self, at: Timestamp, event: Event) {
        self.tickets += 1;
        self.events.insert((at, self.tickets), event);
    }

    fn soon(&mut self, least: u64, most: u64, event: Event) {
        let at = self.now + self.millis(least, most);
        self.at(at, event);
    }
}
