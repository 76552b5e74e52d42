//! Lanes: made, looked after, configured, emptied and forgotten.

use std::sync::Arc;

use ringbolt_model::{DisableReason, EndpointId, Timestamp};

use super::Engine;
use super::shedding::Keep;
use crate::action::Action;
use crate::input::Target;
use crate::lane::Lane;
use crate::limiter::Limiter;

impl Engine {
    pub(super) fn number(&self, endpoint: EndpointId) -> Option<u32> {
        self.by_endpoint.get(&endpoint).copied()
    }

    pub(super) fn lane(&mut self, number: u32) -> &mut Lane {
        self.lanes[number as usize]
            .as_mut()
            .expect("numbers of lanes are not kept beyond them")
    }

    /// The lane of a target; made if it is not known.
    pub(super) fn lane_for(&mut self, target: &Target) -> u32 {
        if let Some(number) = self.number(target.endpoint) {
            return number;
        }
        let lane = Lane::new(target, &self.settings);
        let number = match self.free.pop() {
            Some(number) => {
                self.lanes[number as usize] = Some(lane);
                number
            }
            None => {
                self.lanes.push(Some(lane));
                (self.lanes.len() - 1) as u32
            }
        };
        self.by_endpoint.insert(target.endpoint, number);
        number
    }

    /// Looks after a lane once something about it has changed: its class, its place among those
    /// that wait for slots and pages, its timer, its end.
    pub(super) fn tend(&mut self, number: u32, now: Timestamp, out: &mut Vec<Action>) {
        self.looks += 1;
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("a lane is tended while it is known");
        lane.pass_time(now, self.settings.hang_after);
        lane.settle(now);
        self.judge_lane(number, now, out);
        let lane = self.lanes[number as usize].as_mut().expect("as above");
        let plenty = self.share.is_plenty(lane.app);
        if lane.removed && lane.held.deliveries == 0 && lane.rows.is_settled() {
            self.forget(number);
            return;
        }
        if lane.is_ready(now, plenty) {
            self.share
                .enlist(number, lane.app, lane.standing(), lane.flight.len());
        } else {
            self.share.delist(number);
        }
        if !lane.rows.in_line && lane.page(now, &self.settings).is_some() {
            lane.rows.in_line = true;
            self.pages.stand_in_line(number, lane.class.is_trusted());
        }
        let idle = lane.is_idle();
        lane.idle_since = lane
            .idle_since
            .filter(|_| idle)
            .or_else(|| idle.then_some(now));
        if let Some(wake) = lane.next_wake(now, &self.settings)
            && self.timers.at(number).is_none_or(|set| wake < set)
        {
            self.timers.set(number, wake);
        }
    }

    /// Counts a lane as what it is now; what it may not keep goes back to the store.
    fn judge_lane(&mut self, number: u32, now: Timestamp, out: &mut Vec<Action>) {
        let lane = self.lanes[number as usize].as_mut().expect("as in `tend`");
        let class = lane.judge(now);
        let before = std::mem::replace(&mut lane.class, class);
        if before != class {
            self.memory.reclass(before, class, lane.held);
            if before.is_trusted() != class.is_trusted() {
                self.share
                    .judged_anew(lane.app, class.is_trusted(), lane.flight.len());
            }
        }
        if let Some(keep) = Keep::of(lane, &self.memory, now) {
            keep.apply(lane, &mut self.memory, now, out);
        }
    }

    pub(super) fn wake_lane(&mut self, number: u32, now: Timestamp, out: &mut Vec<Action>) {
        let Some(lane) = self.lanes[number as usize].as_ref() else {
            return;
        };
        if lane.is_idle()
            && lane
                .forgotten_at(&self.settings)
                .is_some_and(|at| at <= now)
        {
            self.forget(number);
            return;
        }
        self.tend(number, now, out);
    }

    fn forget(&mut self, number: u32) {
        let Some(lane) = self.lanes[number as usize].take() else {
            return;
        };
        self.by_endpoint.remove(&lane.endpoint);
        self.share.delist(number);
        self.timers.clear(number);
        self.free.push(number);
    }

    pub(super) fn configure(&mut self, now: Timestamp, target: &Target, out: &mut Vec<Action>) {
        let known = self.number(target.endpoint).is_some();
        let number = self.lane_for(target);
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("it was just found or made");
        let enabled = !target.settings.disabled && (lane.disabled || !known);
        lane.settings = Arc::clone(&target.settings);
        lane.width.set(lane.settings.concurrency, &self.settings);
        lane.limiter = lane.settings.rate.map(|rate| match &lane.limiter {
            Some(limiter) => limiter.at_rate(rate.get()),
            None => Limiter::new(rate.get()),
        });
        lane.rate_wait = None;
        if enabled {
            lane.disabled = false;
            // Rows may wait of which a lane that was disabled, or forgotten, knows nothing.
            lane.rows.fall_behind(now);
            lane.rows.go_on();
        }
        if enabled && known {
            lane.close_breaker(out);
            lane.held_until = None;
            if lane.health.clear() {
                out.push(Action::Health {
                    endpoint: lane.endpoint,
                    app: lane.app,
                    failing: None,
                });
            }
        }
        if target.settings.disabled {
            lane.disabled = true;
        }
        self.tend(number, now, out);
    }

    /// The engine's own decision; the driver makes it known.
    pub(super) fn disable(&mut self, number: u32, reason: DisableReason, out: &mut Vec<Action>) {
        let lane = self.lane(number);
        if !lane.disabled {
            lane.disabled = true;
            out.push(Action::Disable {
                endpoint: lane.endpoint,
                app: lane.app,
                reason,
            });
        }
    }

    pub(super) fn remove(&mut self, now: Timestamp, endpoint: EndpointId, out: &mut Vec<Action>) {
        let Some(number) = self.number(endpoint) else {
            return;
        };
        self.lane(number).removed = true;
        self.tend(number, now, out);
    }
}
