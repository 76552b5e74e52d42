//! How much a step may do: the writer is held for a bounded time.

use std::time::Duration;

use ringbolt_model::{Clock, Timestamp};

/// How long a step goes on; what it is at then takes a little longer.
const TIME: Duration = Duration::from_millis(8);
/// How many rows a step touches at most, whatever the clock says.
const ROWS: usize = 2_000;

/// What is left for a step to do.
pub(in crate::sqlite) struct Budget<'a> {
    clock: &'a dyn Clock,
    until: Timestamp,
    rows: usize,
    /// How many unfinished deliveries ended because their content's time was over.
    pub(in crate::sqlite) expired: usize,
}

impl<'a> Budget<'a> {
    /// All that one step may do, from now on.
    pub(in crate::sqlite) fn new(clock: &'a dyn Clock) -> Self {
        Self {
            clock,
            until: clock.steady() + TIME,
            rows: ROWS,
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

    /// Whether anything is left.
    pub(in crate::sqlite) fn is_left(&self) -> bool {
        self.rows > 0 && self.clock.steady() < self.until
    }

    /// How many rows were removed or rewritten.
    pub(in crate::sqlite) fn spent(&self) -> usize {
        ROWS - self.rows
    }
}
