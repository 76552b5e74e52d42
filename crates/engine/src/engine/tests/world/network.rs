//! The world's endpoints: tries begin there, within every bound, and are answered in their time.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::time::Duration;

use ringbolt_model::{DeliveryKey, Timestamp};

use super::{Event, Known, Mode, TIMEOUT, World};
use crate::{Change, Failure, Hold, Outcome, Start, Verdict};

impl World {
    pub(super) fn start(&mut self, start: Start) {
        self.starts += 1;
        self.started.push(start.delivery.message.raw());
        let key = start.delivery;
        let endpoint = self.endpoints.get_mut(&key.endpoint).unwrap();
        let settings = &endpoint.target.settings;
        assert!(
            !endpoint.removed && !settings.disabled,
            "{key:?} starts, but its lane is closed"
        );
        match self.deliveries[&key] {
            Known::Fresh => assert!(start.fresh && start.attempts == 0),
            Known::Row { attempts, due, .. } => {
                assert!(!start.fresh, "{key:?} has a row");
                assert_eq!(start.attempts, attempts, "{key:?}");
                assert!(due <= self.now, "{key:?} is not due");
            }
            Known::Ended(_) => panic!("{key:?} has ended"),
        }
        if let Some(rate) = settings.rate {
            keep_rate(&mut endpoint.starts, rate.get(), self.now);
        }
        let cap = settings
            .concurrency
            .map_or(self.settings.concurrency_max, NonZeroU16::get);
        if let Some((rate, starts)) = self.app_rates.get_mut(&endpoint.target.app) {
            keep_rate(starts, u32::from(*rate), self.now);
        }
        let took = match endpoint.mode {
            Mode::Good(millis) => Duration::from_millis(millis),
            Mode::Hangs => TIMEOUT,
            _ => Duration::from_millis(5),
        };
        let of_lane = *self
            .of_lane
            .entry(key.endpoint)
            .and_modify(|n| *n += 1)
            .or_insert(1);
        assert!(of_lane <= usize::from(cap), "{of_lane} in flight");
        let twice = self.in_flight.insert(key, (start, self.now));
        assert_eq!(twice, None, "{key:?} is twice in flight");
        self.at(self.now + took, Event::Answer { delivery: key });
    }

    pub(super) fn answer(&mut self, delivery: DeliveryKey) {
        let (start, at) = self.in_flight.remove(&delivery).unwrap();
        *self.of_lane.get_mut(&delivery.endpoint).unwrap() -= 1;
        let endpoint = &self.endpoints[&delivery.endpoint];
        let none = Failure::default();
        let outcome = match endpoint.mode {
            Mode::Good(_) => Outcome::Success,
            Mode::Fails | Mode::Hangs => Outcome::Failure(none),
            Mode::Gone => Outcome::Failure(Failure { gone: true, ..none }),
            Mode::Asks(seconds, lane) => {
                let wait = Duration::from_secs(seconds);
                Outcome::Failure(Failure {
                    hold: Some(Hold { wait, lane }),
                    ..none
                })
            }
        };
        let removed = endpoint.removed;
        let mut out = Vec::new();
        let verdict = Verdict {
            outcome,
            took: self.now.since(at),
        };
        let decision = self.engine.finished(self.now, delivery, verdict, &mut out);
        assert_eq!(decision.fresh, start.fresh);
        self.judge(&start, outcome, removed, decision.change);
        if decision.change == Change::Delivered {
            self.arrived.push(delivery);
        }
        if decision.change != Change::Waits {
            self.soon(1, 5, Event::Record { delivery, decision });
        }
        self.act(out);
    }
}

/// No ten seconds hold more than eleven seconds' worth.
fn keep_rate(starts: &mut VecDeque<Timestamp>, rate: u32, now: Timestamp) {
    starts.push_back(now);
    while starts
        .front()
        .is_some_and(|start| *start + Duration::from_secs(10) <= now)
    {
        starts.pop_front();
    }
    assert!(
        starts.len() <= 11 * rate as usize,
        "{} starts at {rate} per second",
        starts.len()
    );
}
