//! Starting: slots go to lanes in turn, as their rates and their applications' allow.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::Arc;

use ringbolt_model::{AppId, Timestamp};

use super::Engine;
use crate::action::{Action, Start};
use crate::lane::flight::Flying;
use crate::lane::{AppTurn, Lane};
use crate::limiter::Limiter;

/// An application that has, or had, a rate.
#[derive(Debug)]
pub(super) struct App {
    id: AppId,
    limiter: Option<Limiter>,
    /// Lanes that wait for the application's rate.
    line: VecDeque<u32>,
}

impl Engine {
    pub(super) fn start_tries(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        while let Some(number) = self.share.take_turn(now) {
            // What was said when it was put in line may no longer hold: most slots may be taken now.
            let app = self.lane(number).app;
            let plenty = self.share.is_plenty(app);
            if self.lane(number).is_ready(now, plenty) && self.permit(number, now) {
                let start = self.start(number, now);
                out.push(Action::Start(start));
            }
            self.tend(number, now, out);
        }
    }

    fn start(&mut self, number: u32, now: Timestamp) -> Start {
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("a lane is known while it waits");
        let waiting = lane
            .queue
            .pop_front()
            .expect("a lane waits for a slot only with work");
        lane.trust.started();
        let probe = lane.breaker.is_open();
        lane.breaker.probe();
        self.share.started(number, lane.doubtful(), now);
        let start = Start {
            delivery: lane.key(waiting.message.id),
            message: Arc::clone(&waiting.message),
            attempts: waiting.attempts,
            trigger: waiting.trigger,
            probe,
            fresh: waiting.fresh,
        };
        lane.flight.start(Flying {
            waiting,
            started: now,
            probe,
            slow: false,
        });
        start
    }

    /// Takes a try from the lane's rate and its application's, or makes the lane wait for them.
    fn permit(&mut self, number: u32, now: Timestamp) -> bool {
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("a lane is known while it waits");
        if let Some(limiter) = &lane.limiter
            && limiter.free_at() > now
        {
            lane.rate_wait = Some(limiter.free_at());
            return false;
        }
        if let Some(app) = self.by_app.get(&lane.app) {
            let timer = self.apps[*app as usize].permit(number, lane, now);
            if let Some(at) = timer {
                if self.app_timers.at(*app).is_none() {
                    self.app_timers.set(*app, at);
                }
                return false;
            }
        }
        if let Some(limiter) = &mut lane.limiter {
            limiter.take(now);
        }
        true
    }

    pub(super) fn set_app_rate(
        &mut self,
        now: Timestamp,
        id: AppId,
        rate: Option<NonZeroU16>,
        out: &mut Vec<Action>,
    ) {
        let app = match self.by_app.get(&id) {
            Some(app) => *app,
            None if rate.is_none() => return,
            None => {
                self.apps.push(App {
                    id,
                    limiter: None,
                    line: VecDeque::new(),
                });
                let app = (self.apps.len() - 1) as u32;
                self.by_app.insert(id, app);
                app
            }
        };
        let limiter = &mut self.apps[app as usize].limiter;
        *limiter = rate.map(|rate| match limiter {
            Some(limiter) => limiter.at_rate(rate.get().into()),
            None => Limiter::new(rate.get().into()),
        });
        self.call_lanes(app, now, out);
    }

    /// Calls as many lanes as the application's rate allows now.
    pub(super) fn call_lanes(&mut self, app: u32, now: Timestamp, out: &mut Vec<Action>) {
        let mut free = self.apps[app as usize].free(now);
        while free > 0
            && let Some(number) = self.apps[app as usize].line.pop_front()
        {
            let id = self.apps[app as usize].id;
            let Some(lane) = self.lanes[number as usize].as_mut() else {
                continue;
            };
            if lane.app == id && lane.app_turn == AppTurn::Waits {
                lane.app_turn = AppTurn::Called;
                free -= 1;
                self.tend(number, now, out);
            }
        }
        match self.apps[app as usize].next_call(now) {
            Some(at) => self.app_timers.set(app, at),
            None => self.app_timers.clear(app),
        }
    }
}

impl App {
    fn free(&self, now: Timestamp) -> usize {
        self.limiter
            .as_ref()
            .map_or(usize::MAX, |limiter| limiter.free(now))
    }

    /// When the next lane in line is to be called.
    fn next_call(&self, now: Timestamp) -> Option<Timestamp> {
        let limiter = self.limiter.as_ref().filter(|_| !self.line.is_empty())?;
        // Lanes that were called may still wait for a slot: nobody is called twice in one moment.
        Some(limiter.free_at().max(now + limiter.interval()))
    }

    /// Takes a try for a lane, or puts it in line and says when the first in line is called.
    fn permit(&mut self, number: u32, lane: &mut Lane, now: Timestamp) -> Option<Timestamp> {
        let limiter = self.limiter.as_mut()?;
        let called = std::mem::replace(&mut lane.app_turn, AppTurn::Open) == AppTurn::Called;
        if limiter.free(now) > 0 && (called || self.line.is_empty()) {
            limiter.take(now);
            return None;
        }
        lane.app_turn = AppTurn::Waits;
        if called {
            self.line.push_front(number);
        } else {
            self.line.push_back(number);
        }
        Some(
            limiter
                .free_at()
                .max(now + std::time::Duration::from_micros(1)),
        )
    }
}
