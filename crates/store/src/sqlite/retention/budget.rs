//! How much a step may do: the writer is held for a bounded time.

use std::time::Duration;

use ringbolt_model::{Clock, Timestamp};

use crate::sqlite::log::expunge::LARGE;

/// How long a step goes on; what it is at then takes a little longer.
const TIME: Duration = Duration::from_millis(8);
/// How many rows a step touches at most, whatever the clock says.
const ROWS: usize = 2_000;
/// How many bytes of content a step overwrites, give or take as many: they are written again by the commit,
/// which no clock is looked at in.
const BYTES: usize = LARGE;

/// What is left for a step to do.
pub(in crate::sqlite) struct Budget<'a> {
    clock: &'a dyn Clock,
    until: Timestamp,
    rows: usize,
    bytes: usize,
    /// The message whose payload was read right before the step, so that the system has its pages in memory.
    read: Option<i64>,
    /// The message whose payload is to be read before the next one.
    to_read: Option<i64>,
    /// How many unfinished deliveries ended because their content's time was over.
    pub(in crate::sqlite) expired: usize,
}

impl<'a> Budget<'a> {
    /// All that one step may do, from now on, after the payload of a message was read.
    pub(in crate::sqlite) fn new(clock: &'a dyn Clock, read: Option<i64>) -> Self {
        Self {
            clock,
            until: clock.steady() + TIME,
            rows: ROWS,
            bytes: BYTES,
            read,
            to_read: None,
            expired: 0,
        }
    }

    /// How many rows the next statement may touch.
    pub(in crate::sqlite) fn part(&self) -> usize {
        self.rows.min(100)
    }

    /// Notes that rows were removed or rewritten.
    pub(in crate::sqlite) fn spend(&mut self, rows: usize) {
        self.rows = self.rows.saturating_sub(rows);
    }

    /// Notes that content of so many bytes was overwritten.
    pub(in crate::sqlite) fn overwrite(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Whether the payload of a message was read right before the step.
    pub(in crate::sqlite) fn has_read(&self, message: i64) -> bool {
        self.read == Some(message)
    }

    /// Ends the step; the next one begins with the same work after the payload of a message was read.
    pub(in crate::sqlite) fn end_to_read(&mut self, message: i64) {
        self.to_read = Some(message);
    }

    /// The message whose payload is to be read before the next step.
    pub(in crate::sqlite) const fn to_read(&self) -> Option<i64> {
        self.to_read
    }

    /// Whether anything is left.
    pub(in crate::sqlite) fn is_left(&self) -> bool {
        self.to_read.is_none()
            && self.rows > 0
            && self.bytes > 0
            && self.clock.steady() < self.until
    }

    /// How many rows were removed or rewritten.
    pub(in crate::sqlite) fn spent(&self) -> usize {
        ROWS - self.rows
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use super::*;

    /// A clock on which a millisecond passes with each look.
    #[derive(Debug, Default)]
    struct Hurried(AtomicI64);

    impl Clock for Hurried {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.fetch_add(1_000, Relaxed))
        }

        fn steady(&self) -> Timestamp {
            self.now()
        }
    }

    #[test]
    fn a_step_ends_when_its_time_is_over_though_rows_are_left() {
        let clock = Hurried::default();
        let mut budget = Budget::new(&clock, None);
        let mut parts = 0;
        while budget.is_left() {
            budget.spend(1);
            parts += 1;
        }
        assert_eq!((parts, budget.spent()), (7, 7));
    }

    #[test]
    fn a_step_ends_when_its_rows_are_spent_though_time_is_left() {
        let clock = crate::conformance::StillClock;
        let mut budget = Budget::new(&clock, None);
        while budget.is_left() {
            assert!(budget.part() <= 100);
            budget.spend(budget.part());
        }
        assert_eq!((budget.spent(), budget.part()), (ROWS, 0));
    }

    #[test]
    fn a_step_ends_when_it_has_overwritten_enough() {
        let clock = crate::conformance::StillClock;
        let mut budget = Budget::new(&clock, None);
        budget.overwrite(BYTES - 1);
        assert!(budget.is_left());
        budget.overwrite(10 * BYTES);
        assert!(!budget.is_left());
    }

    #[test]
    fn a_step_ends_when_it_comes_to_a_payload_that_is_to_be_read_first() {
        let clock = crate::conformance::StillClock;
        let mut budget = Budget::new(&clock, Some(6));
        assert!(budget.has_read(6) && !budget.has_read(7) && budget.is_left());
        budget.end_to_read(7);
        assert_eq!((budget.is_left(), budget.to_read()), (false, Some(7)));
    }
}
