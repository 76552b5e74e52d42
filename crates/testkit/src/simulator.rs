//! A simulator: days of outages, slow endpoints, crashes and clock jumps in seconds, from a seed.
//!
//! It does what the driver does (crate `delivery`), with the engine and the SQLite store as they are,
//! but on one thread, on a virtual clock and with a virtual network. A ledger of its own says
//! what is owed; whatever the engine starts and decides, and whatever the store says, is held against
//! it. Two runs of one seed are the same, step by step.
//!
//! What is real: the engine, the store and its file, recovery from the file as a crash left it. What
//! is not: time, the network, failures of the disk (commits are withheld), and the driver itself, whose
//! work is done here anew.

mod acting;
mod agenda;
mod deeds;
mod disk;
mod doing;
mod judging;
mod ledger;
mod process;
mod random;
mod time;
mod trace;
mod users;
mod weather;
mod world;
mod writing;

use std::collections::BTreeMap;

use ringbolt_engine::Input;
use ringbolt_model::{AppId, EndpointId, Timestamp};

use agenda::{Agenda, Event};
use deeds::Deed;
use disk::Disk;
use ledger::{Broken, Ledger};
use process::Process;
use random::Random;
use time::Time;
use trace::Trace;
use world::{Character, World};

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The hash of everything that happened, in order.
    pub trace: u64,
    /// How often each kind of thing happened: `start`, `crash`, `spill` and so on.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// A promise was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}, at {at}: {what}\n{trace}")]
pub struct Failure {
    /// The seed that shows it.
    pub seed: u64,
    /// When, in the world of that seed.
    pub at: Timestamp,
    /// What was promised and is not so.
    pub what: String,
    /// What led to it; ids as the integers behind them, in hexadecimal.
    pub trace: String,
}

/// Lives through the world of a seed.
///
/// # Errors
/// The first promise that was broken.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    let mut simulation = Simulation::begin(seed);
    let lived = simulation.live().and_then(|()| simulation.judge());
    let Simulation { trace, time, .. } = &simulation;
    match lived {
        Ok(()) => Ok(Report {
            trace: trace.hash(),
            kinds: trace.kinds(),
        }),
        Err(Broken { what, about }) => Err(Box::new(Failure {
            seed,
            at: time.steady(),
            what,
            trace: trace.tail(&about),
        })),
    }
}

/// How often the engine may ask to be woken at one moment.
const SPINS: u32 = 1000;

/// A world, and the process in it.
struct Simulation {
    world: World,
    time: Time,
    agenda: Agenda,
    trace: Trace,
    ledger: Ledger,
    disk: Disk,
    process: Process,
    /// Applications that are there, and every endpoint that was, with what it is like.
    apps: Vec<AppId>,
    endpoints: BTreeMap<EndpointId, (AppId, Character)>,
    /// Decides what users do.
    chance: Random,
    /// Decides how long things take, and what endpoints answer.
    luck: Random,
    spins: u32,
}

impl Simulation {
    fn begin(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let world = World::drawn(&mut random.fork());
        let time = Time::at(world.begin);
        let disk = Disk::new(time.clock());
        let mut agenda = Agenda::default();
        for (at, deed) in &world.deeds {
            agenda.enter(*at, Event::Deed(*deed));
        }
        let process = Process::new(&world.settings, random.next(), 0);
        let ledger = Ledger::new(world.settings.clone());
        let mut simulation = Self {
            world,
            time,
            agenda,
            trace: Trace::default(),
            ledger,
            disk,
            process,
            apps: Vec::new(),
            endpoints: BTreeMap::new(),
            chance: random.fork(),
            luck: random.fork(),
            spins: 0,
        };
        simulation.settle_in();
        simulation
    }

    /// Lets everything happen that is going to, until the world ends.
    fn live(&mut self) -> Result<(), Broken> {
        loop {
            let wake = self.process.engine.next_wake();
            let wake = wake.map(|wake| self.time.when_steady_is(wake));
            let event = self.agenda.next_at();
            let next = wake.into_iter().chain(event).min();
            let Some(at) = next.filter(|at| *at <= self.world.end) else {
                self.time.pass_to(self.world.end);
                return Ok(());
            };
            let moved = self.time.pass_to(at);
            self.spins = if moved { 0 } else { self.spins + 1 };
            if self.spins > SPINS {
                return Err(Broken {
                    what: "the engine asks to be woken again and again, and nothing comes of it"
                        .into(),
                    about: Vec::new(),
                });
            }
            match self.agenda.take_due(at) {
                Some(Event::Deed(deed)) => self.deed(deed)?,
                Some(Event::Step(step)) => {
                    self.spins = 0;
                    self.step(step)?;
                }
                None => self.tell(Input::Wake)?,
            }
        }
    }

    fn note(&mut self, what: &'static str, about: [u64; 2], detail: i64) {
        self.trace.note(self.time.steady(), what, about, detail);
    }

    fn deed(&mut self, deed: Deed) -> Result<(), Broken> {
        self.note("deed", [deed as u64, 0], 0);
        match deed {
            Deed::Send => self.send(),
            Deed::Resend => self.resend()?,
            Deed::Recover => self.recover(),
            Deed::Expunge => self.expunge(),
            Deed::Crash => self.crash()?,
            Deed::Audit => self.audit(40)?,
            Deed::Jump => self.jump(),
            Deed::Tidy => self.tidy(),
            other => self.change(other)?,
        }
        Ok(())
    }
}
