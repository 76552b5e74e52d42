//! The engine: one state machine for all lanes.

mod intake;
mod lanes;
mod outcome;
mod reading;
mod shedding;
mod starting;
mod view;

#[cfg(test)]
mod tests;

use ringbolt_model::{AppId, EndpointId, Timestamp};

use crate::action::Action;
use crate::hash::IdMap;
use crate::input::Input;
use crate::lane::Lane;
use crate::memory::Memory;
use crate::pages::Pages;
use crate::random::Random;
use crate::settings::Settings;
use crate::share::Share;
use crate::timers::Timers;
use starting::App;

/// Decides what is tried when. See the crate's documentation for how it is used.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    random: Random,
    /// Lanes by number; numbers are used again.
    lanes: Vec<Option<Lane>>,
    free: Vec<u32>,
    by_endpoint: IdMap<EndpointId, u32>,
    /// Applications that have, or had, a rate.
    apps: Vec<App>,
    by_app: IdMap<AppId, u32>,
    memory: Memory,
    share: Share,
    pages: Pages,
    timers: Timers,
    app_timers: Timers,
    /// How often a lane was looked at; tests hold the cost of a start by it.
    looks: u64,
}

impl Engine {
    /// An engine without lanes. The seed decides the jitter.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            lanes: Vec::new(),
            free: Vec::new(),
            by_endpoint: IdMap::default(),
            apps: Vec::new(),
            by_app: IdMap::default(),
            memory: Memory::new(settings.memory.clone()),
            share: Share::new(settings.in_flight, settings.timeout),
            pages: Pages::new(settings.pages.at_once),
            timers: Timers::default(),
            app_timers: Timers::default(),
            looks: 0,
            settings,
        }
    }

    /// Takes in what has happened; pushes what is to be done. `now` must not go back.
    pub fn handle(&mut self, now: Timestamp, input: Input, out: &mut Vec<Action>) {
        match input {
            Input::Configure { target } => self.configure(now, &target, out),
            Input::ApplicationRate { app, rate } => self.set_app_rate(now, app, rate, out),
            Input::Remove { endpoint } => self.remove(now, endpoint, out),
            Input::Committed {
                message,
                fresh,
                stored,
            } => {
                self.committed(now, &message, &fresh, &stored, out);
            }
            Input::Abandoned {
                message,
                fresh,
                stored,
            } => {
                self.abandoned(now, message, &fresh, &stored, out);
            }
            Input::Stored {
                target,
                due,
                manual,
            } => self.stored(now, &target, due, manual, out),
            Input::Loaded {
                endpoint,
                deliveries,
                next_due,
                more,
            } => {
                self.loaded(now, endpoint, deliveries, next_due, more, out);
            }
            Input::LoadFailed { endpoint } => self.load_failed(now, endpoint, out),
            Input::Recorded { delivery } => self.recorded(now, delivery, out),
            Input::Wake => self.wake(now, out),
        }
        self.go(now, out);
    }

    /// Whether nothing is tried at all.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.settings.paused
    }

    /// When to send [`Input::Wake`]: it may turn out that nothing is to be done then.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let (lanes, apps) = (self.timers.next(), self.app_timers.next());
        let newcomers = self.share.next_wake().filter(|_| !self.settings.paused);
        lanes.into_iter().chain(apps).chain(newcomers).min()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        while let Some(number) = self.timers.take_due(now) {
            self.wake_lane(number, now, out);
        }
        while let Some(app) = self.app_timers.take_due(now) {
            self.call_lanes(app, now, out);
        }
    }

    /// Starts and reads whatever can be started and read.
    fn go(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        if self.settings.paused {
            return;
        }
        self.start_tries(now, out);
        self.read_pages(now, out);
    }
}
