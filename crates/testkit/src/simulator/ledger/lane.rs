//! What is promised about a lane: its rate, its concurrency, its holds, its breaker.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ringbolt_engine::LaneSettings;
use ringbolt_model::{MessageId, Timestamp};

/// How much of a second's tries a late timer may make up for.
const TOLERANCE: f64 = 0.05;

/// A lane, as the engine was told of it.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Lane {
    pub(in crate::simulator) settings: LaneSettings,
    /// Nothing may start: it is disabled.
    pub(in crate::simulator) blocked: bool,
    /// The store has deleted the endpoint.
    pub(in crate::simulator) deleted: bool,
    /// The engine was told so.
    pub(in crate::simulator) removed: bool,
    /// Attempts in flight, with whether they probe.
    pub(in crate::simulator) flying: BTreeMap<MessageId, bool>,
    /// Until when the endpoint asked to wait.
    pub(in crate::simulator) held_until: Option<Timestamp>,
    /// Failures since the last success.
    pub(in crate::simulator) failures: u32,
    pub(in crate::simulator) pace: Pace,
}

/// When tries started, to hold them against a rate.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Pace {
    rate: Option<u32>,
    starts: VecDeque<Timestamp>,
}

impl Lane {
    /// The process has ended, and with it all that it knew.
    pub(super) fn crashed(&mut self) {
        self.flying.clear();
        self.held_until = None;
        self.failures = 0;
        self.pace.forget();
    }

    /// The engine was told of new settings.
    pub(in crate::simulator) fn configured(&mut self, settings: LaneSettings) {
        let enabled = self.blocked && !settings.disabled;
        self.blocked = settings.disabled;
        if enabled {
            self.held_until = None;
            self.failures = 0;
        }
        self.settings = settings;
    }
}

impl Pace {
    /// Another rate: what started before is not held against it.
    pub(in crate::simulator) fn set(&mut self, rate: Option<u32>) {
        if self.rate != rate {
            self.rate = rate;
            self.starts.clear();
        }
    }

    pub(super) fn forget(&mut self) {
        self.starts.clear();
    }

    /// A try starts; says how many there were in how many seconds if those are too many.
    pub(super) fn start(&mut self, now: Timestamp) -> Option<(usize, u32)> {
        let rate = self.rate?;
        self.starts.push_back(now);
        while self
            .starts
            .front()
            .is_some_and(|at| now.since(*at) >= Duration::from_secs(10))
        {
            self.starts.pop_front();
        }
        [1, 10].into_iter().find_map(|seconds| {
            let window = Duration::from_secs(seconds.into());
            let started = self
                .starts
                .iter()
                .filter(|at| now.since(**at) < window)
                .count();
            let most = (f64::from(seconds) + TOLERANCE) * f64::from(rate) + 1.0;
            (started as f64 > most).then_some((started, seconds))
        })
    }
}
