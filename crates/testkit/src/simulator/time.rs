//! Time: it passes at will, and the time of day jumps.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::Timestamp;

use crate::MockClock;

/// How far the time of day may run ahead of the steady time before that follows.
const TOLERANCE: i64 = 1_000_000;
/// Timers ring on this grain, in microseconds.
const GRAIN: i64 = 1000;

/// True time, and what the clock of the process shows.
#[derive(Debug)]
pub(super) struct Time {
    now: Timestamp,
    /// The time of day less true time, in microseconds.
    day: i64,
    /// The steady time less true time, in microseconds.
    ahead: i64,
    clock: Arc<MockClock>,
}

impl Time {
    pub(super) fn at(now: Timestamp) -> Self {
        Self {
            now,
            day: 0,
            ahead: 0,
            clock: Arc::new(MockClock::at(now)),
        }
    }

    pub(super) fn clock(&self) -> Arc<MockClock> {
        Arc::clone(&self.clock)
    }

    /// True time.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) const fn steady(&self) -> Timestamp {
        Timestamp::from_micros(self.now.as_micros() + self.ahead)
    }

    pub(super) const fn day(&self) -> Timestamp {
        Timestamp::from_micros(self.now.as_micros() + self.day)
    }

    /// When a timer rings that was set for this steady time.
    pub(super) fn when_steady_is(&self, steady: Timestamp) -> Timestamp {
        let at = steady.as_micros() - self.ahead;
        let rings = (at + GRAIN - 1).div_euclid(GRAIN) * GRAIN;
        Timestamp::from_micros(rings).max(self.now)
    }

    /// Time passes; says whether it did.
    pub(super) fn pass_to(&mut self, at: Timestamp) -> bool {
        let moved = at > self.now;
        self.now = self.now.max(at);
        self.show();
        moved
    }

    /// The time of day jumps. A steady time follows a jump ahead, as a machine's does that slept.
    pub(super) fn jump(&mut self, ahead: bool, span: Duration) {
        let span = i64::try_from(span.as_micros()).unwrap_or(0);
        self.day += if ahead { span } else { -span };
        if self.day > self.ahead + TOLERANCE {
            self.ahead = self.day;
        }
        self.show();
    }

    /// The process starts anew: its steady time starts at the time of day.
    pub(super) fn restart(&mut self) {
        self.ahead = self.day;
        self.show();
    }

    fn show(&self) {
        self.clock.set(self.day(), self.steady());
    }
}
