//! Since when a node has reached the store without a break.

use std::time::Duration;

use super::micros;

/// Since when the store has answered. After an outage nobody is gone until it has been there for a whole lease: they
/// all had no chance to renew theirs.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    since: Option<i64>,
}

impl Reach {
    /// It has just answered for the first time.
    #[must_use]
    pub const fn begun(now: i64) -> Self {
        Self { since: Some(now) }
    }

    /// It did not answer.
    pub const fn lost(&mut self) {
        self.since = None;
    }

    /// It has answered.
    pub const fn answered(&mut self, now: i64) {
        if self.since.is_none() {
            self.since = Some(now);
        }
    }

    /// Whether whoever's lease has lapsed is gone.
    #[must_use]
    pub fn is_long(&self, now: i64, lease: Duration) -> bool {
        self.since.is_some_and(|since| now - since >= micros(lease))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_an_outage_a_whole_lease_has_to_pass() {
        let (mut reach, lease) = (Reach::begun(0), Duration::from_micros(50));
        assert!(!reach.is_long(49, lease) && reach.is_long(50, lease));
        reach.lost();
        assert!(!reach.is_long(60, lease));
        reach.answered(70);
        reach.answered(80);
        assert!(!reach.is_long(119, lease) && reach.is_long(120, lease));
    }
}
