//! Outcomes: what a try means for its delivery, its lane and its endpoint.

use ringbolt_model::{DeliveryKey, DisableReason, FinalReason, Timestamp};

use super::Engine;
use crate::action::{Action, Change, Decision};
use crate::health::Finding;
use crate::input::{Failure, Outcome, Verdict};
use crate::lane::Lane;
use crate::lane::flight::Flying;
use crate::retry::{LONGEST_HOLD, next_try};
use crate::settings::Settings;

impl Engine {
    /// A try has ended, and its slot is free. Returns what is to be written with its outcome; pushes
    /// what is to be done besides, further starts among it. A delivery that is not in flight is
    /// answered with [`Change::Cancelled`].
    pub fn finished(
        &mut self,
        now: Timestamp,
        delivery: DeliveryKey,
        verdict: Verdict,
        out: &mut Vec<Action>,
    ) -> Decision {
        const UNKNOWN: Decision = Decision {
            fresh: false,
            change: Change::Cancelled,
        };
        let Some(number) = self.number(delivery.endpoint) else {
            return UNKNOWN;
        };
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("its number was just found");
        let Some(flying) = lane.flight.land(delivery.message) else {
            return UNKNOWN;
        };
        self.share.ended(lane.doubtful());
        // With another attempt in flight it would be unknown which of them had the newcomer's slot.
        if verdict.took < self.settings.hang_after && lane.flight.is_empty() {
            self.share.answered(number);
        }
        lane.learn(&verdict, flying.slow, &self.settings);
        let decision = Decision {
            fresh: flying.waiting.fresh,
            change: self.decide(number, now, &flying, verdict.outcome, out),
        };
        self.put_away(number, now, flying, decision);
        self.tend(number, now, out);
        self.go(now, out);
        decision
    }

    fn decide(
        &mut self,
        number: u32,
        now: Timestamp,
        flying: &Flying,
        outcome: Outcome,
        out: &mut Vec<Action>,
    ) -> Change {
        let lane = self.lane(number);
        if lane.removed {
            return Change::Cancelled;
        }
        match outcome {
            Outcome::Success => {
                lane.close_breaker(out);
                if lane.health.clear() {
                    out.push(Action::Health {
                        endpoint: lane.endpoint,
                        app: lane.app,
                        failing: None,
                    });
                }
                Change::Delivered
            }
            Outcome::Failure(Failure { expired: true, .. }) => {
                lane.breaker_probe_was_void(flying);
                Change::Failed(FinalReason::Expired)
            }
            Outcome::Failure(Failure { gone: true, .. }) => {
                lane.breaker_probe_was_void(flying);
                self.disable(number, DisableReason::Gone, out);
                Change::Retry {
                    at: now,
                    attempts: flying.used(),
                }
            }
            Outcome::Failure(failure) => self.failed(number, now, flying, failure, out),
        }
    }

    fn failed(
        &mut self,
        number: u32,
        now: Timestamp,
        flying: &Flying,
        failure: Failure,
        out: &mut Vec<Action>,
    ) -> Change {
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("its attempt has just ended");
        if let Some(hold) = failure.hold.filter(|hold| hold.lane) {
            let until = now + hold.wait.min(LONGEST_HOLD);
            lane.held_until = lane.held_until.max(Some(until));
        }
        let breaker = &self.settings.breaker;
        if lane.breaker.failed(now, flying.probe, breaker) {
            out.push(lane.breaker_news());
        }
        let message = flying.waiting.message.id;
        let finding = lane.health.failed(now, message, &self.settings.health);
        self.report(number, finding, out);
        if flying.probe {
            return Change::Waits;
        }
        let lane = self.lanes[number as usize].as_ref().expect("as above");
        let schedule = lane
            .settings
            .schedule
            .as_ref()
            .unwrap_or(&self.settings.schedule);
        let (attempts, asked) = (flying.used(), failure.hold.map(|hold| hold.wait));
        match next_try(now, schedule, attempts, asked, self.random.next()) {
            Some(at) => Change::Retry { at, attempts },
            None => Change::Failed(FinalReason::Exhausted),
        }
    }

    /// Tells what a failure was found to mean.
    fn report(&mut self, number: u32, finding: Finding, out: &mut Vec<Action>) {
        let lane = self.lane(number);
        let Some(failing) = lane.health.failing() else {
            return;
        };
        let (endpoint, app) = (lane.endpoint, lane.app);
        if let Finding::Warn(percent) = finding {
            out.push(Action::Warn {
                endpoint,
                app,
                percent,
                failing,
            });
        }
        if finding != Finding::Nothing {
            out.push(Action::Health {
                endpoint,
                app,
                failing: Some(failing),
            });
        }
        if finding == Finding::Disable {
            self.disable(number, DisableReason::Failing, out);
        }
    }

    /// Lets go of a delivery, unless it is a fresh one that waits on.
    fn put_away(&mut self, number: u32, now: Timestamp, flying: Flying, decision: Decision) {
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("its attempt has just ended");
        let waits = decision.change == Change::Waits;
        if waits && decision.fresh {
            lane.queue.push_front(flying.waiting);
            return;
        }
        lane.held
            .take(self.memory.release(lane.class, flying.waiting.payload), 1);
        if waits {
            lane.rows.fall_behind(now);
        } else if decision.awaits_record() && !lane.removed {
            let due = match decision.change {
                Change::Retry { at, .. } => Some(at),
                _ => None,
            };
            lane.rows.decided(flying.waiting.message.id, due);
        }
    }
}

impl Flying {
    /// The tries used up once this one has ended: a probe uses none.
    fn used(&self) -> u32 {
        self.waiting.attempts.saturating_add(u32::from(!self.probe))
    }
}

impl Lane {
    /// Learns from how long an answer took; one that was found to be slow has been counted.
    fn learn(&mut self, verdict: &Verdict, counted: bool, settings: &Settings) {
        self.trust.answered();
        if verdict.took >= settings.hang_after {
            self.width.shrink();
            self.trust.were_slow(usize::from(!counted));
        } else if verdict.outcome == Outcome::Success {
            self.trust.succeeded_promptly();
            self.width.grow(verdict.took, settings.hang_after);
        }
    }

    /// It is well, or is to be taken for well.
    pub(super) fn close_breaker(&mut self, out: &mut Vec<Action>) {
        if self.breaker.reset() {
            out.push(self.breaker_news());
        }
    }

    fn breaker_news(&self) -> Action {
        Action::Breaker {
            endpoint: self.endpoint,
            app: self.app,
            open: self.breaker.is_open(),
        }
    }

    fn breaker_probe_was_void(&mut self, flying: &Flying) {
        if flying.probe {
            self.breaker.probe_was_void();
        }
    }
}
