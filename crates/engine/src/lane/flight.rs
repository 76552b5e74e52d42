//! A lane's attempts in flight.

use std::time::Duration;

use ringbolt_model::{MessageId, Timestamp};

use super::Waiting;

/// Attempts in flight, in the order in which they started. There are a few dozen at most as a rule,
/// so a search costs less than a map would.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    flying: Vec<Flying>,
    /// When attempts were last found to hang.
    found_hanging: Option<Timestamp>,
}

/// An attempt in flight.
#[derive(Debug)]
pub(crate) struct Flying {
    pub(crate) waiting: Waiting,
    pub(crate) started: Timestamp,
    pub(crate) probe: bool,
    /// It was found to be slow, and counts as that.
    pub(crate) slow: bool,
}

impl Flight {
    pub(crate) const fn len(&self) -> usize {
        self.flying.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.flying.is_empty()
    }

    pub(crate) fn start(&mut self, flying: Flying) {
        self.flying.push(flying);
    }

    /// Takes out the attempt that has ended.
    pub(crate) fn land(&mut self, message: MessageId) -> Option<Flying> {
        let place = self
            .flying
            .iter()
            .position(|flying| flying.waiting.message.id == message)?;
        Some(self.flying.remove(place))
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.flying.iter().map(|flying| &flying.waiting)
    }

    /// When to look for attempts that hang. Nobody looks again at a lane of which the worst is
    /// known (`matters` is false).
    pub(crate) fn next_check(&self, hang_after: Duration, matters: bool) -> Option<Timestamp> {
        let oldest = self.flying.first().filter(|_| matters)?.started;
        Some(self.found_hanging.map_or(oldest, |found| found.max(oldest)) + hang_after)
    }

    /// Notes which attempts are slow; returns how many were not known to be.
    pub(crate) fn note_slow(&mut self, now: Timestamp, hang_after: Duration) -> usize {
        let slow = |flying: &&mut Flying| !flying.slow && flying.started + hang_after <= now;
        let found = self.flying.iter_mut().filter(slow);
        found.map(|flying| flying.slow = true).count()
    }

    /// Looks; returns whether attempts hang that have not been found in the last `hang_after`.
    pub(crate) fn check(&mut self, now: Timestamp, hang_after: Duration) -> bool {
        let hangs = self
            .next_check(hang_after, true)
            .is_some_and(|at| at <= now);
        if hangs {
            self.found_hanging = Some(now);
        }
        hangs
    }
}
