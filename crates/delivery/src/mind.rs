//! The engine, and which one it is: when others have taken over what it had, another takes its place.

use ringbolt_engine::{Action, Engine, Settings, Start};

/// The engine of now.
pub(crate) struct Mind {
    pub(crate) engine: Engine,
    settings: Settings,
    seed: u64,
}

/// What an engine wants done.
pub(crate) struct Actions {
    /// Which engine: what an earlier one wanted is not done any more.
    pub(crate) generation: u32,
    pub(crate) all: Vec<Action>,
}

/// A try that waits to be made, and which engine wants it.
pub(crate) struct HeldBack {
    pub(crate) generation: u32,
    pub(crate) start: Start,
}

impl Mind {
    pub(crate) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            engine: Engine::new(settings.clone(), seed),
            settings,
            seed,
        }
    }

    /// Puts an engine that knows nothing in the place of this one, which is given back.
    pub(crate) fn renew(&mut self) -> Engine {
        self.seed = self.seed.wrapping_add(1);
        let new = Engine::new(self.settings.clone(), self.seed);
        std::mem::replace(&mut self.engine, new)
    }
}
