//! The ledger: what is owed to whom and what has become of it, kept apart from engine and store, and
//! the promises that every step is held to.

mod ends;
mod lane;
mod starts;

use std::collections::BTreeMap;

use bytes::Bytes;
use ringbolt_engine::{Settings, Target};
use ringbolt_model::{
    AppId, DeliveryKey, DeliveryState, EndpointId, FinalReason, Message, MessageId, Timestamp, id,
};

pub(super) use lane::Lane;

/// A promise was broken: which, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) what: String,
    pub(super) about: Vec<u64>,
}

/// What is owed, and what has become of it.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) settings: Settings,
    pub(super) messages: BTreeMap<MessageId, Sent>,
    pub(super) lanes: BTreeMap<EndpointId, Lane>,
    pub(super) apps: BTreeMap<AppId, lane::Pace>,
    pub(super) in_flight: usize,
    pub(super) starts: u64,
}

/// A message that was accepted.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) app: AppId,
    pub(super) payload: Bytes,
    pub(super) expunged: bool,
    pub(super) owed: BTreeMap<EndpointId, Entry>,
}

/// A delivery.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Where it stands by what the process knows.
    pub(super) live: Standing,
    /// Where it stands by what is on disk.
    pub(super) durable: Standing,
    /// How many of its outcomes wait to be written.
    pub(super) unwritten: u32,
    /// The tries used up before it was sent again by hand: the lane may have read it before.
    pub(super) before_resend: Option<u32>,
    /// An attempt has succeeded after its endpoint was deleted.
    pub(super) late_success: bool,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: DeliveryState,
    pub(super) reason: Option<FinalReason>,
    /// Tries used up.
    pub(super) attempts: u32,
    /// Not before.
    pub(super) due: Timestamp,
}

impl Standing {
    pub(super) const fn pending(attempts: u32, due: Timestamp) -> Self {
        Self {
            state: DeliveryState::Pending,
            reason: None,
            attempts,
            due,
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        self.state == DeliveryState::Pending
    }
}

impl Ledger {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            messages: BTreeMap::new(),
            lanes: BTreeMap::new(),
            apps: BTreeMap::new(),
            in_flight: 0,
            starts: 0,
        }
    }

    /// A message is on disk.
    pub(super) fn accepted(&mut self, message: &Message, targets: &[EndpointId], now: Timestamp) {
        let standing = Standing::pending(0, now);
        let owed = targets.iter().map(|to| (*to, Entry::new(standing)));
        let sent = Sent {
            app: message.app,
            payload: message.payload.clone().unwrap_or_default(),
            expunged: false,
            owed: owed.collect(),
        };
        self.messages.insert(message.id, sent);
    }

    /// An outcome is on disk: where its delivery stands by it, unless that is as before.
    pub(super) fn outcome_written(&mut self, key: DeliveryKey, standing: Option<Standing>) {
        let Some(entry) = self.entry_mut(key) else {
            return;
        };
        entry.unwritten -= 1;
        if let Some(standing) = standing {
            entry.durable = standing;
        }
    }

    /// A delivery was sent again by hand.
    pub(super) fn resent(&mut self, key: DeliveryKey, now: Timestamp) {
        let pending = Standing::pending(0, now);
        let Some(sent) = self.messages.get_mut(&key.message) else {
            return;
        };
        let entry = sent.owed.entry(key.endpoint).or_insert(Entry::new(pending));
        entry.before_resend = Some(entry.live.attempts);
        entry.durable = pending;
        if entry.unwritten == 0 {
            entry.live = pending;
        }
    }

    /// A step of a recovery: which failed deliveries became pending.
    pub(super) fn recovered(
        &mut self,
        endpoint: EndpointId,
        window: (u64, u64),
        limit: usize,
        now: Timestamp,
    ) -> usize {
        let mut recovered = 0;
        for (message, sent) in &mut self.messages {
            let inside = message.raw() > window.0 && message.raw() < window.1;
            let failed = |entry: &Entry| entry.durable.state == DeliveryState::Failed;
            let Some(entry) = sent.owed.get_mut(&endpoint).filter(|entry| failed(entry)) else {
                continue;
            };
            if inside && !sent.expunged && recovered < limit {
                recovered += 1;
                entry.durable = Standing::pending(0, now);
                entry.live = entry.durable;
            }
        }
        recovered
    }

    /// The process has ended: it knows what is on disk.
    pub(super) fn crashed(&mut self) {
        self.in_flight = 0;
        for sent in self.messages.values_mut() {
            for entry in sent.owed.values_mut() {
                entry.live = entry.durable;
                entry.unwritten = 0;
                entry.before_resend = None;
            }
        }
        self.lanes.values_mut().for_each(Lane::crashed);
        self.apps.values_mut().for_each(lane::Pace::forget);
    }

    /// What was in memory only is due at once.
    pub(super) fn reopened(&mut self, now: Timestamp) {
        let entries = self
            .messages
            .values_mut()
            .flat_map(|sent| sent.owed.values_mut());
        for entry in entries.filter(|entry| entry.durable.attempts == 0) {
            entry.durable.due = entry.durable.due.min(now);
            entry.live = entry.durable;
        }
    }

    /// The engine meets a lane that it does not know.
    pub(super) fn meets(&mut self, target: &Target) {
        let lane = self.lanes.entry(target.endpoint).or_default();
        lane.crashed();
        lane.settings = (*target.settings).clone();
        lane.blocked = target.settings.disabled;
    }

    pub(super) fn entry(&self, key: DeliveryKey) -> Option<&Entry> {
        self.messages.get(&key.message)?.owed.get(&key.endpoint)
    }

    pub(super) fn entry_mut(&mut self, key: DeliveryKey) -> Option<&mut Entry> {
        self.messages
            .get_mut(&key.message)?
            .owed
            .get_mut(&key.endpoint)
    }

    pub(super) fn lane(&mut self, endpoint: EndpointId) -> &mut Lane {
        self.lanes.entry(endpoint).or_default()
    }

    pub(super) fn is_deleted(&self, endpoint: EndpointId) -> bool {
        self.lanes.get(&endpoint).is_some_and(|lane| lane.deleted)
    }
}

/// The ids of a window of time, not including either.
pub(super) fn window(since: Timestamp, until: Timestamp, reached: Option<MessageId>) -> (u64, u64) {
    let from = id::at_millisecond(since).saturating_sub(1);
    let from = from.max(reached.map_or(0, MessageId::raw));
    (from, id::at_millisecond(until))
}

impl Entry {
    const fn new(standing: Standing) -> Self {
        Self {
            live: standing,
            durable: standing,
            unwritten: 0,
            before_resend: None,
            late_success: false,
        }
    }
}

/// Says which promise was broken.
pub(super) fn broken<T>(key: DeliveryKey, what: impl Into<String>) -> Result<T, Broken> {
    Err(Broken {
        what: what.into(),
        about: vec![key.message.raw(), key.endpoint.raw()],
    })
}
