//! The one place where the server reads the time.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use ringbolt_model::{Clock, Timestamp};

/// How far the time of day may run ahead of the steady time before that follows: the one drifts and
/// is slewed, the other stands still while a machine sleeps.
const TOLERANCE: i64 = 1_000_000;

/// The clock of this machine.
pub(crate) struct SystemClock {
    /// The time of day at the start.
    began_at: Timestamp,
    began: Instant,
    /// How much the time of day has jumped ahead since, in microseconds; it only grows.
    ahead: AtomicI64,
}

impl SystemClock {
    /// Starts it.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everybody is handed"
    )]
    pub(crate) fn start() -> Self {
        Self {
            began_at: time_of_day(),
            began: Instant::now(),
            ahead: AtomicI64::new(0),
        }
    }

    /// The steady time, given what the two clocks of the machine show.
    fn steady_at(&self, day: Timestamp, elapsed: Duration) -> Timestamp {
        let ran = self.began_at + elapsed;
        let lead = day.as_micros() - ran.as_micros();
        if lead > self.ahead.load(Relaxed).saturating_add(TOLERANCE) {
            self.ahead.fetch_max(lead, Relaxed);
        }
        Timestamp::from_micros(ran.as_micros().saturating_add(self.ahead.load(Relaxed)))
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        time_of_day()
    }

    fn steady(&self) -> Timestamp {
        self.steady_at(time_of_day(), self.began.elapsed())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everybody is handed"
)]
fn time_of_day() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::default() + since
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(clock: &SystemClock, day: i64, elapsed: u64) -> i64 {
        let day = clock.began_at.as_seconds() + day;
        let steady = clock.steady_at(Timestamp::from_seconds(day), Duration::from_secs(elapsed));
        steady.as_seconds() - clock.began_at.as_seconds()
    }

    #[test]
    fn steady_time_follows_a_jump_ahead_and_never_goes_back() {
        let mut clock = SystemClock::start();
        clock.began_at = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(at(&clock, 10, 10), 10, "both run");
        assert_eq!(at(&clock, 3600, 11), 3600, "the machine slept");
        assert_eq!(
            at(&clock, -3600, 12),
            3601,
            "somebody put the time of day back"
        );
        assert_eq!(at(&clock, 3603, 13), 3602, "a second's difference is drift");
    }
}
