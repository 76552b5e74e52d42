//! How long a node's own lease holds, by its own clock.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use super::micros;

/// A lease, as the node that has it knows it. It ends no later than the store says, since it is counted from when the
/// node began to ask for it.
#[derive(Debug)]
pub struct Held {
    until: AtomicI64,
}

impl Default for Held {
    /// None yet.
    fn default() -> Self {
        Self {
            until: AtomicI64::new(i64::MIN),
        }
    }
}

impl Held {
    /// It was renewed by a request that began at this moment.
    pub fn renewed(&self, begun: i64, lease: Duration) {
        self.until.store(begun + micros(lease), Relaxed);
    }

    /// It is over.
    pub fn lapse(&self) {
        self.until.store(i64::MIN, Relaxed);
    }

    /// Whether it holds still.
    #[must_use]
    pub fn holds(&self, now: i64) -> bool {
        now < self.until.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_holds_from_when_it_was_asked_for_until_it_ends() {
        let (held, lease) = (Held::default(), Duration::from_micros(50));
        assert!(!held.holds(i64::MIN) && !held.holds(0));
        held.renewed(100, lease);
        assert!(held.holds(149) && !held.holds(150));
        held.lapse();
        assert!(!held.holds(101));
    }
}
