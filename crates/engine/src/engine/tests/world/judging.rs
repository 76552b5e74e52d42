//! The rules, once more: what a decision must be, said without the engine's own code.

use std::time::Duration;

use ringbolt_model::FinalReason;

use super::World;
use crate::{Change, Outcome, Start};

impl World {
    /// Whether the engine's decision is as the rules say.
    pub(super) fn judge(&self, start: &Start, outcome: Outcome, removed: bool, change: Change) {
        let waits = self.settings.schedule.waits();
        let failure = match outcome {
            _ if removed => return assert_eq!(change, Change::Cancelled),
            Outcome::Success => return assert_eq!(change, Change::Delivered),
            Outcome::Failure(failure) => failure,
        };
        if failure.gone {
            let attempts = start.attempts + u32::from(!start.probe);
            return assert_eq!(
                change,
                Change::Retry {
                    at: self.now,
                    attempts
                }
            );
        }
        if start.probe {
            return assert_eq!(change, Change::Waits);
        }
        let Some(wait) = waits.get(start.attempts as usize) else {
            return assert_eq!(change, Change::Failed(FinalReason::Exhausted));
        };
        let Change::Retry { at, attempts } = change else {
            panic!("{change:?}")
        };
        assert_eq!(attempts, start.attempts + 1);
        let asked = failure.hold.map_or(Duration::ZERO, |hold| hold.wait);
        let waited = at.since(self.now);
        let slack = Duration::from_micros(2);
        assert!(waited + slack >= wait.mul_f64(0.8).max(asked), "{waited:?}");
        assert!(waited <= wait.mul_f64(1.2).max(asked) + slack, "{waited:?}");
    }
}
