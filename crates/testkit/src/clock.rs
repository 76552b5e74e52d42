//! A clock that shows what it is told.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use ringbolt_model::{Clock, Timestamp};

/// Shows what it is told, until it is told otherwise.
#[derive(Debug)]
pub struct MockClock {
    day: AtomicI64,
    steady: AtomicI64,
}

impl MockClock {
    /// A clock whose time of day and steady time are both `time`.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        let micros = time.as_micros();
        Self {
            day: AtomicI64::new(micros),
            steady: AtomicI64::new(micros),
        }
    }

    /// Shows this time of day, and this steady time. (A steady time never goes back: that is for the
    /// caller to see to.)
    pub fn set(&self, day: Timestamp, steady: Timestamp) {
        self.day.store(day.as_micros(), Relaxed);
        self.steady.store(steady.as_micros(), Relaxed);
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.day.load(Relaxed))
    }

    fn steady(&self) -> Timestamp {
        Timestamp::from_micros(self.steady.load(Relaxed))
    }
}
