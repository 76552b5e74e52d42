//! Rates: the generic cell rate algorithm (ITU-T I.371) with a burst that no ten seconds notice.

use ringbolt_model::Timestamp;

const SECOND: i64 = 1_000_000_000;
/// What a late timer may make up for. A window of 10 s holds at most `10 s + tolerance` worth of
/// tries and one more, so tolerance and interval together stay below a second.
const TOLERANCE: i64 = SECOND / 20;

/// Says when the next try may start so that a rate is kept.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    interval: i64,
    tolerance: i64,
    /// When the next try would start if all were evenly spaced, in nanoseconds.
    next: i64,
}

impl Limiter {
    /// For `rate` tries per second.
    pub(crate) fn new(rate: u32) -> Self {
        let interval = SECOND / i64::from(rate.max(1));
        Self {
            interval,
            tolerance: TOLERANCE.min(SECOND - interval),
            next: 0,
        }
    }

    /// The same history under another rate.
    pub(crate) fn at_rate(&self, rate: u32) -> Self {
        Self {
            next: self.next,
            ..Self::new(rate)
        }
    }

    /// From when a try may start.
    pub(crate) fn free_at(&self) -> Timestamp {
        let nanos = self.next.saturating_sub(self.tolerance);
        Timestamp::from_micros(nanos.div_euclid(1000) + i64::from(nanos.rem_euclid(1000) > 0))
    }

    /// How many tries may start at `now`.
    pub(crate) fn free(&self, now: Timestamp) -> usize {
        let ahead = nanos(now)
            .saturating_add(self.tolerance)
            .saturating_sub(self.next);
        if ahead < 0 {
            return 0;
        }
        let ahead = ahead.min(self.tolerance);
        usize::try_from(ahead / self.interval + 1).unwrap_or(1)
    }

    /// A try starts.
    pub(crate) fn take(&mut self, now: Timestamp) {
        self.next = self.next.max(nanos(now)).saturating_add(self.interval);
    }

    /// The time between two tries, rounded up.
    pub(crate) fn interval(&self) -> std::time::Duration {
        std::time::Duration::from_micros(self.interval.unsigned_abs().div_ceil(1000))
    }
}

const fn nanos(time: Timestamp) -> i64 {
    time.as_micros().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts as early as allowed for 60 s, with a timer of a millisecond's grain.
    fn starts(rate: u32, grain: i64) -> Vec<i64> {
        let mut limiter = Limiter::new(rate);
        let begin = 1_800_000_000_000_000;
        let mut starts = Vec::new();
        let mut now = begin;
        while now < begin + 60_000_000 {
            while limiter.free_at().as_micros() <= now {
                assert!(limiter.free(Timestamp::from_micros(now)) > 0);
                limiter.take(Timestamp::from_micros(now));
                starts.push(now);
            }
            now = (limiter.free_at().as_micros() / grain + 1) * grain;
        }
        starts
    }

    #[test]
    fn any_ten_seconds_hold_the_rate_within_a_tenth() {
        for rate in [1, 2, 3, 7, 50, 400, 3000] {
            let starts = starts(rate, 1000);
            let (low, high) = (9 * rate as usize, 11 * rate as usize);
            for (first, begin) in starts.iter().enumerate() {
                let end = begin + 10_000_000;
                if end > starts[starts.len() - 1] {
                    break;
                }
                let within = starts.partition_point(|start| *start < end) - first;
                assert!(
                    (low..=high).contains(&within),
                    "{within} at {rate} per second"
                );
            }
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut limiter = Limiter::new(10);
        limiter.take(Timestamp::from_seconds(1_800_000_000));
        assert_eq!(limiter.free(Timestamp::from_seconds(1_800_000_100)), 1);
    }
}
