//! What is promised whenever a try ends.

use std::time::Duration;

use ringbolt_engine::{Change, Decision, Failure, Outcome, Start, Verdict};
use ringbolt_model::{DeliveryState, FinalReason, Timestamp, schedule};

use super::{Broken, Ledger, Standing, broken};

/// The longest that an answer can ask to wait.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);
/// What rounding may do.
const GRAIN: Duration = Duration::from_millis(1);

impl Ledger {
    /// A try has ended: what was decided is right. Returns where the delivery stands once that is
    /// written, unless it is as before.
    pub(in crate::simulator) fn finished(
        &mut self,
        start: &Start,
        verdict: Verdict,
        decision: Decision,
        now: Timestamp,
    ) -> Result<Option<Standing>, Broken> {
        let key = start.delivery;
        self.in_flight -= 1;
        let lane = self.lane(key.endpoint);
        lane.flying.remove(&key.message);
        let removed = lane.removed;
        if decision.change == Change::Cancelled {
            if !removed {
                return broken(key, "a delivery was cancelled, and its endpoint is there");
            }
        } else {
            self.decided(start, verdict, decision, now)?;
        }
        self.learn(start, verdict, now);
        let standing = standing(decision.change, now);
        let Some(entry) = self.entry_mut(key) else {
            return Ok(standing);
        };
        entry.unwritten += 1;
        entry.before_resend = None;
        entry.arrived |= verdict.outcome == Outcome::Success;
        entry.live = standing.unwrap_or(if decision.fresh {
            entry.live
        } else {
            entry.durable
        });
        Ok(standing)
    }

    fn learn(&mut self, start: &Start, verdict: Verdict, now: Timestamp) {
        let lane = self.lane(start.delivery.endpoint);
        match verdict.outcome {
            Outcome::Success => lane.failures = 0,
            Outcome::Failure(Failure { expired: true, .. } | Failure { gone: true, .. }) => {}
            Outcome::Failure(failure) => {
                lane.failures += 1;
                if let Some(hold) = failure.hold.filter(|hold| hold.lane) {
                    let until = now + hold.wait.min(LONGEST_HOLD);
                    lane.held_until = lane.held_until.max(Some(until));
                }
            }
        }
    }

    fn decided(
        &mut self,
        start: &Start,
        verdict: Verdict,
        decision: Decision,
        now: Timestamp,
    ) -> Result<(), Broken> {
        let key = start.delivery;
        let right = match verdict.outcome {
            Outcome::Success => decision.change == Change::Delivered,
            Outcome::Failure(Failure { expired: true, .. }) => {
                decision.change == Change::Failed(FinalReason::Expired)
            }
            Outcome::Failure(Failure { gone: true, .. }) => {
                let attempts = start.attempts + u32::from(!start.probe);
                decision.change == Change::Retry { at: now, attempts }
            }
            Outcome::Failure(_) if start.probe => decision.change == Change::Waits,
            Outcome::Failure(failure) => self.is_in_schedule(start, failure, decision, now),
        };
        if decision.fresh != start.fresh || !right {
            return broken(
                key,
                format!("{verdict:?} of {start:?} led to {decision:?} at {now}"),
            );
        }
        Ok(())
    }

    fn is_in_schedule(
        &mut self,
        start: &Start,
        failure: Failure,
        decision: Decision,
        now: Timestamp,
    ) -> bool {
        let general = self.settings.schedule.clone();
        let lane = self.lane(start.delivery.endpoint);
        let waits = lane.settings.schedule.as_ref().unwrap_or(&general).waits();
        let Some(wait) = waits.get(start.attempts as usize) else {
            return decision.change == Change::Failed(FinalReason::Exhausted);
        };
        let asked = failure
            .hold
            .map_or(Duration::ZERO, |hold| hold.wait.min(LONGEST_HOLD));
        let earliest = now + wait.mul_f64(1.0 - schedule::JITTER).max(asked);
        let latest = now + wait.mul_f64(1.0 + schedule::JITTER).max(asked);
        match decision.change {
            Change::Retry { at, attempts } => {
                attempts == start.attempts + 1 && at + GRAIN >= earliest && at <= latest + GRAIN
            }
            _ => false,
        }
    }
}

fn standing(change: Change, now: Timestamp) -> Option<Standing> {
    let ended = |state, reason| {
        Some(Standing {
            state,
            reason,
            attempts: 0,
            due: now,
        })
    };
    match change {
        Change::Waits => None,
        Change::Retry { at, attempts } => Some(Standing::pending(attempts, at)),
        Change::Delivered => ended(DeliveryState::Delivered, None),
        Change::Failed(reason) => ended(DeliveryState::Failed, Some(reason)),
        Change::Cancelled => ended(DeliveryState::Cancelled, Some(FinalReason::Deleted)),
    }
}
