//! The process: what a crash takes away, and how it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringbolt_engine::{Engine, LaneSettings, Settings, Target};
use ringbolt_model::{AppId, Endpoint, EndpointId, IdMaker, Subscription, Timestamp};
use ringbolt_store::{AppRef, Catalogue as _, Deliveries as _, Upkeep as _};

use super::agenda::{Event, Step};
use super::ledger::Broken;
use super::writing::Queued;
use super::{Simulation, users};

/// What the process knows.
pub(super) struct Process {
    pub(super) engine: Engine,
    pub(super) ids: IdMaker,
    /// The routes of applications in use.
    pub(super) routes: BTreeMap<AppId, Arc<Vec<Route>>>,
    /// Applications whose rates the engine was told.
    pub(super) rated: BTreeSet<AppId>,
    /// What waits for the writer.
    pub(super) queue: Vec<Queued>,
    pub(super) committing: bool,
    /// When the last receipts reach the driver: they never overtake each other.
    pub(super) receipts_at: Timestamp,
    /// How often users changed endpoints: what was read before a change is not told after it.
    pub(super) changes: BTreeMap<EndpointId, u64>,
    pub(super) tickets: u64,
}

/// An endpoint, as routing knows it.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) target: Target,
    pub(super) subscription: Subscription,
}

impl Process {
    pub(super) fn new(settings: &Settings, seed: u64, largest_id: u64) -> Self {
        Self {
            engine: Engine::new(settings.clone(), seed),
            ids: IdMaker::new(0, largest_id),
            routes: BTreeMap::new(),
            rated: BTreeSet::new(),
            queue: Vec::new(),
            committing: false,
            receipts_at: Timestamp::default(),
            changes: BTreeMap::new(),
            tickets: 0,
        }
    }
}

impl Simulation {
    /// The process ends without a word, or is stopped, and another starts on what it left.
    pub(super) fn crash(&mut self) -> Result<(), Broken> {
        let crashed = self.chance.chance(70);
        self.note("crash", [u64::from(crashed), 0], 0);
        self.agenda.crash();
        self.ledger.crashed();
        if crashed {
            self.disk = self.disk.crashed();
        } else {
            let next = super::disk::Disk::new(self.time.clock());
            self.disk = std::mem::replace(&mut self.disk, next).closed();
        }
        self.time.restart();
        self.start_up()
    }

    fn start_up(&mut self) -> Result<(), Broken> {
        let now = self.time.steady();
        let store = &self.disk.store;
        let reopened = self.disk.wait(store.reopen(now)).map_err(users::failed)?;
        let largest = self.disk.wait(store.largest_id()).map_err(users::failed)?;
        let lanes = self
            .disk
            .wait(store.lanes_with_work())
            .map_err(users::failed)?;
        self.ledger.reopened(now);
        self.note("reopened", [0, largest], reopened as i64);
        self.process = Process::new(&self.world.settings, self.luck.next(), largest);
        for app in self.apps.clone() {
            // The engine has yet to learn it, but nothing may start before it has.
            let found = self.disk.wait(self.disk.store.application(AppRef::Id(app)));
            let rate = found.map_err(users::failed)?.throttle_rate;
            self.ledger.rate(app, rate);
        }
        let mut at = self.time.now();
        for lane in lanes {
            at = at + self.luck.span(super::acting::TENTH, super::acting::MILLI);
            let rows = Step::Rows {
                endpoint: lane.endpoint,
                due: lane.due,
                manual: false,
            };
            self.agenda.enter(at, Event::Step(rows));
        }
        Ok(())
    }
}

/// The lane of an endpoint, as the engine is told of it.
pub(super) fn target(endpoint: &Endpoint) -> Target {
    Target {
        endpoint: endpoint.id,
        app: endpoint.app,
        settings: Arc::new(LaneSettings::from(endpoint)),
    }
}
