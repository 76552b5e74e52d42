//! When a delivery is tried again.

use std::time::Duration;

use ringbolt_model::{RetrySchedule, Timestamp};

/// The longest that an answer can ask to wait.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);

/// The moment of the next try after `attempts` have been used up; `None` when that was the last.
/// An answer that asks for a longer wait than the schedule's is obeyed; a shorter one is not.
pub(crate) fn next_try(
    now: Timestamp,
    schedule: &RetrySchedule,
    attempts: u32,
    asked: Option<Duration>,
    random: u32,
) -> Option<Timestamp> {
    let wait = schedule.wait_after(attempts, random)?;
    Some(now + wait.max(asked.unwrap_or_default().min(LONGEST_HOLD)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_of_schedule_and_answer_wins() {
        let schedule: RetrySchedule = "10s".parse().unwrap();
        let now = Timestamp::from_seconds(100);
        let at = |asked: u64| next_try(now, &schedule, 1, Some(Duration::from_secs(asked)), 0);
        assert_eq!(at(1), Some(Timestamp::from_seconds(108)));
        assert_eq!(at(60), Some(Timestamp::from_seconds(160)));
        assert_eq!(at(1_000_000), Some(now + LONGEST_HOLD));
        assert_eq!(next_try(now, &schedule, 2, None, 0), None);
    }
}
