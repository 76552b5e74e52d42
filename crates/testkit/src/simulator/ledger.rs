//! The ledger: what is owed to whom and what has become of it, kept apart from engine and store, and
//! the promises that every step is held to.

mod ends;
mod lane;
mod starts;

use std::collections::BTreeMap;
use std::num::NonZeroU16;

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
}

/// A message that was accepted.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) app: AppId,
    pub(super) payload: Bytes,
    pub(super) expunged: bool,
    /// When its content is to go, by the time of day.
    pub(super) expires_at: Option<Timestamp>,
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
    /// It has a row; otherwise its message's open mark covers it.
    pub(super) row: bool,
    /// The store has ended it, but a lane may have read it before and try it once more.
    pub(super) may_be_tried: bool,
    /// An attempt has succeeded, whatever became of it later.
    pub(super) arrived: bool,
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
        }
    }

    /// A message is on disk.
    pub(super) fn accepted(
        &mut self,
        message: &Message,
        fresh: &[EndpointId],
        stored: &[EndpointId],
        now: Timestamp,
    ) {
        let standing = Standing::pending(0, now);
        let entry = |row| move |to: &EndpointId| (*to, Entry::new(standing, row));
        let owed = fresh.iter().map(entry(false));
        let owed = owed.chain(stored.iter().map(entry(true)));
        let sent = Sent {
            app: message.app,
            payload: message.payload.clone().unwrap_or_default(),
            expunged: false,
            expires_at: message.expires_at,
            owed: owed.collect(),
        };
        self.messages.insert(message.id, sent);
    }

    /// An outcome is on disk: where its delivery stands by it, unless that is as before.
    /// One that is not pending any more has ended, by tidying for instance, and stays as it is.
    pub(super) fn outcome_written(
        &mut self,
        key: DeliveryKey,
        fresh: bool,
        standing: Option<Standing>,
    ) {
        let Some(entry) = self.entry_mut(key) else {
            return;
        };
        entry.unwritten -= 1;
        let counts = fresh || entry.durable.is_pending();
        if let Some(standing) = standing.filter(|_| counts) {
            entry.durable = standing;
            entry.row |= standing.state != DeliveryState::Delivered;
            entry.may_be_tried = false;
        } else if entry.unwritten == 0 {
            // It may have been sent again by hand meanwhile.
            entry.live = entry.durable;
        }
    }

    /// Fresh deliveries have rows now.
    pub(super) fn spilt(&mut self, deliveries: &[DeliveryKey]) {
        for key in deliveries {
            if let Some(entry) = self.entry_mut(*key) {
                entry.row = true;
            }
        }
    }

    /// The store has tidied: content whose time is over is gone, and with it what has a row and waits.
    /// Returns which deliveries have ended so.
    pub(super) fn tidied(&mut self, day: Timestamp) -> Vec<DeliveryKey> {
        let mut ended = Vec::new();
        let over = |sent: &Sent| sent.expires_at.is_some_and(|at| at <= day);
        for (message, sent) in self.messages.iter_mut().filter(|(_, sent)| over(sent)) {
            (sent.expunged, sent.expires_at) = (true, None);
            for (endpoint, entry) in &mut sent.owed {
                if entry.row && entry.durable.is_pending() {
                    ended.push(DeliveryKey {
                        message: *message,
                        endpoint: *endpoint,
                    });
                    entry.durable.state = DeliveryState::Failed;
                    entry.durable.reason = Some(FinalReason::Expired);
                    entry.may_be_tried = true;
                    if entry.unwritten == 0 {
                        entry.live = entry.durable;
                    }
                }
            }
        }
        ended
    }

    /// A delivery was sent again by hand.
    pub(super) fn resent(&mut self, key: DeliveryKey, now: Timestamp) {
        let pending = Standing::pending(0, now);
        let Some(sent) = self.messages.get_mut(&key.message) else {
            return;
        };
        let entry = sent
            .owed
            .entry(key.endpoint)
            .or_insert(Entry::new(pending, true));
        entry.row |= !entry.durable.is_pending();
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
                entry.row = true;
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
                entry.may_be_tried = false;
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
        for entry in entries.filter(|entry| !entry.row) {
            entry.durable.due = entry.durable.due.min(now);
            entry.live = entry.durable;
            entry.row = entry.durable.is_pending();
        }
    }

    /// The engine meets a lane that it does not know.
    pub(super) fn meets(&mut self, target: &Target) {
        let lane = self.lanes.entry(target.endpoint).or_default();
        lane.crashed();
        // A message may be routed a moment before its endpoint is deleted, and admitted after; and a
        // change may reach the lane after the deletion. Then a lane is made anew; it finds nowhere to
        // send to, and is told so.
        lane.removed = false;
        lane.settings = (*target.settings).clone();
        lane.blocked = target.settings.disabled;
    }

    /// No more may start for an application than this.
    pub(super) fn rate(&mut self, app: AppId, rate: Option<NonZeroU16>) {
        let rate = rate.map(|rate| rate.get().into());
        self.apps.entry(app).or_default().set(rate);
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
    const fn new(standing: Standing, row: bool) -> Self {
        Self {
            live: standing,
            durable: standing,
            unwritten: 0,
            before_resend: None,
            row,
            may_be_tried: false,
            arrived: false,
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
