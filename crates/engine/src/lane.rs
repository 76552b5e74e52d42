//! A lane: the state for one endpoint; what one endpoint does never delays another.

pub(crate) mod flight;
pub(crate) mod rows;
pub(crate) mod trust;
pub(crate) mod width;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::{AppId, DeliveryKey, EndpointId, Message, MessageId, Timestamp, Trigger};

use crate::breaker::Breaker;
use crate::health::Health;
use crate::input::Target;
use crate::limiter::Limiter;
use crate::memory::{Held, PayloadId};
use crate::settings::{LaneSettings, Settings};
use crate::share::Standing;
use flight::Flight;
use rows::Rows;
use trust::Trust;
use width::Width;

/// An endpoint that asks to wait for less than this still counts as one that moves: it is not worth
/// the writes to empty its lane.
const LONG: Duration = Duration::from_secs(10);

/// What the engine thinks of an endpoint; slots and memory are kept apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Its last answer was a prompt success.
    Trusted = 0,
    /// Nothing is known: it has not answered yet, or has not succeeded. Or the latest of a lane that
    /// has proved itself was slow.
    Untested = 1,
    /// Its attempts hang.
    Hanging = 2,
    /// Nothing moves: its breaker is open, it asked to wait for long, it is disabled or deleted.
    Stalled = 3,
}

impl Class {
    pub(crate) const COUNT: usize = 4;

    pub(crate) fn is_trusted(self) -> bool {
        self == Self::Trusted
    }
}

/// A delivery in memory.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) message: Arc<Message>,
    pub(crate) payload: PayloadId,
    pub(crate) attempts: u32,
    pub(crate) trigger: Trigger,
    pub(crate) fresh: bool,
}

/// Where a lane stands with its application's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppTurn {
    /// It has not asked.
    Open,
    /// It stands in line.
    Waits,
    /// It was called.
    Called,
}

/// The state for one endpoint.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) endpoint: EndpointId,
    pub(crate) app: AppId,
    pub(crate) settings: Arc<LaneSettings>,
    pub(crate) disabled: bool,
    pub(crate) removed: bool,
    /// What is next, in order.
    pub(crate) queue: VecDeque<Waiting>,
    /// Fresh deliveries that come after rows not yet read.
    pub(crate) late: VecDeque<Waiting>,
    pub(crate) flight: Flight,
    /// Admitted, commit under way.
    pub(crate) reserved: usize,
    /// So many of these, the latest, come after rows not yet read.
    pub(crate) reserved_late: usize,
    /// All that it holds in memory: queue, late, in flight, reserved.
    pub(crate) held: Held,
    pub(crate) rows: Rows,
    pub(crate) width: Width,
    pub(crate) breaker: Breaker,
    pub(crate) health: Health,
    pub(crate) limiter: Option<Limiter>,
    /// It waits for its rate until then.
    pub(crate) rate_wait: Option<Timestamp>,
    pub(crate) app_turn: AppTurn,
    /// The endpoint asked to wait until then.
    pub(crate) held_until: Option<Timestamp>,
    pub(crate) trust: Trust,
    /// What it is counted as.
    pub(crate) class: Class,
    pub(crate) idle_since: Option<Timestamp>,
}

impl Lane {
    pub(crate) fn new(target: &Target, settings: &Settings) -> Self {
        let own = &target.settings;
        Self {
            endpoint: target.endpoint,
            app: target.app,
            settings: Arc::clone(own),
            disabled: own.disabled,
            removed: false,
            queue: VecDeque::new(),
            late: VecDeque::new(),
            flight: Flight::default(),
            reserved: 0,
            reserved_late: 0,
            held: Held::default(),
            rows: Rows::default(),
            width: Width::new(own.concurrency, settings),
            breaker: Breaker::default(),
            health: Health::new(own.failing),
            limiter: own.rate.map(|rate| Limiter::new(rate.get())),
            rate_wait: None,
            app_turn: AppTurn::Open,
            held_until: None,
            trust: Trust::new(own.failing.is_some()),
            class: if own.disabled {
                Class::Stalled
            } else {
                Class::Untested
            },
            idle_since: None,
        }
    }

    pub(crate) const fn key(&self, message: MessageId) -> DeliveryKey {
        DeliveryKey {
            message,
            endpoint: self.endpoint,
        }
    }

    /// Whether anything may be sent at all.
    pub(crate) const fn is_open(&self) -> bool {
        !self.disabled && !self.removed
    }

    /// Whether the endpoint asked to wait, and it is not yet time.
    pub(crate) fn is_held(&self, now: Timestamp) -> bool {
        self.held_until.is_some_and(|until| until > now)
    }

    /// What it is to be counted as.
    pub(crate) fn judge(&self, now: Timestamp) -> Class {
        let waits_long = self
            .held_until
            .is_some_and(|until| until.since(now) >= LONG);
        if !self.is_open() || self.breaker.is_open() || waits_long {
            Class::Stalled
        } else if self.trust.is_proven() {
            Class::Trusted
        } else if self.trust.hangs() {
            Class::Hanging
        } else {
            Class::Untested
        }
    }

    /// Whether it could use a slot now, its rates aside.
    pub(crate) fn is_ready(&self, now: Timestamp, plenty: bool) -> bool {
        !self.queue.is_empty()
            && self.is_open()
            && !self.is_held(now)
            && self.rate_wait.is_none_or(|at| at <= now)
            && self.app_turn != AppTurn::Waits
            && self.flight.len() < self.width.now(plenty)
            && self.may_try(now)
    }

    /// Whether the breaker lets a delivery pass.
    pub(crate) fn may_try(&self, now: Timestamp) -> bool {
        !self.breaker.is_open() || self.breaker.next_probe().is_some_and(|at| at <= now)
    }

    /// How many rows to read now, if any.
    pub(crate) fn page(&self, now: Timestamp, settings: &Settings) -> Option<usize> {
        if !self.is_open() || self.is_held(now) || !self.rows.can_be_read(now) {
            return None;
        }
        if self.breaker.is_open() {
            return (self.queue.is_empty() && self.may_try(now)).then_some(1);
        }
        (!self.is_busy(settings)).then(|| self.page_rows(settings))
    }

    fn page_rows(&self, settings: &Settings) -> usize {
        let rows = settings.pages.rows.max(1);
        if self.trust.is_proven() {
            rows
        } else {
            rows.min(self.width.now(false) + 1)
        }
    }

    /// Whether its queue is so long that no page will be read for a while.
    pub(crate) fn is_busy(&self, settings: &Settings) -> bool {
        self.queue.len() * 4 >= self.page_rows(settings)
    }

    /// Whether it has nothing to do, nor will have by itself.
    pub(crate) fn is_idle(&self) -> bool {
        self.held.deliveries == 0
            && self.rows.is_quiet()
            && (self.disabled || self.rows.due.is_none())
            && self.held_until.is_none()
    }

    /// When the engine may forget it: much later if there are failures to remember, though what
    /// matters of them has been persisted.
    pub(crate) fn forgotten_at(&self, settings: &Settings) -> Option<Timestamp> {
        let well = self.health.failing().is_none() && self.breaker.is_clean();
        let after = settings.forget_after * if well || self.disabled { 1 } else { 60 };
        self.idle_since.map(|since| since + after)
    }

    /// When something changes for it by time alone. `None` if nothing does; early is harmless.
    pub(crate) fn next_wake(&self, now: Timestamp, settings: &Settings) -> Option<Timestamp> {
        let work = !self.queue.is_empty() || self.rows.due.is_some();
        let open = self.is_open();
        let moments = [
            self.rate_wait.filter(|_| open && !self.queue.is_empty()),
            self.held_until,
            self.breaker.next_probe().filter(|_| open && work),
            self.rows.next_read().filter(|_| open),
            self.flight.next_check(
                settings.hang_after,
                !self.trust.hangs() || self.width.can_shrink(),
            ),
            self.forgotten_at(settings),
        ];
        moments.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Whose it is, unless it is trusted.
    pub(crate) fn doubtful(&self) -> Option<AppId> {
        (!self.class.is_trusted()).then_some(self.app)
    }

    /// What it is known for where slots are shared.
    pub(crate) fn standing(&self) -> Standing {
        match self.class {
            Class::Trusted => Standing::Trusted,
            _ => self.trust.standing(self.flight.len()),
        }
    }

    /// Notes what only the passing of time brings about.
    pub(crate) fn pass_time(&mut self, now: Timestamp, hang_after: Duration) {
        if self.flight.check(now, hang_after) {
            self.width.shrink();
            self.trust.were_slow(self.flight.note_slow(now, hang_after));
        }
        if !self.is_held(now) {
            self.held_until = None;
        }
        if self.rate_wait.is_some_and(|at| at <= now) {
            self.rate_wait = None;
        }
    }

    /// A commit has ended; returns whether its delivery comes after rows not yet read. Commits end
    /// in the order of their reservations, or nearly.
    pub(crate) fn end_reservation(&mut self) -> bool {
        self.reserved -= 1;
        let late = self.reserved < self.reserved_late;
        self.reserved_late = self.reserved_late.min(self.reserved);
        late
    }

    /// Once no row comes before them, late deliveries are next.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        if self.rows.settle(now) {
            self.queue.append(&mut self.late);
            self.reserved_late = 0;
        }
    }
}
