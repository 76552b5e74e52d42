//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// The store, logs, the runtime's own.
const OWN: u64 = 64;

/// The limits in force; `None` stands for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// What holds.
    pub(crate) soft: Option<u64>,
    /// What it can be raised to.
    pub(crate) hard: Option<u64>,
}

impl OpenFiles {
    /// As they are.
    pub(crate) fn now() -> Self {
        let limit = getrlimit(Resource::Nofile);
        Self {
            soft: limit.current,
            hard: limit.maximum,
        }
    }

    /// Whether that many can be open.
    pub(crate) fn suffice_for(self, files: u64) -> bool {
        self.soft.is_none_or(|soft| soft >= files)
    }
}

/// Raises the limit as far as it goes: the usual one is that of programs from when there were few
/// connections.
pub(crate) fn raise(config: &Config) {
    let before = OpenFiles::now();
    let raised = Rlimit {
        current: before.hard,
        maximum: before.hard,
    };
    if let Err(why) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(error = %why, "the limit of open files stays as it is");
    }
    let after = OpenFiles::now();
    if !after.suffice_for(needed(config)) {
        tracing::warn!(
            limit = after.soft,
            needed = needed(config),
            "fewer files can be open than the configured connections need",
        );
    }
}

/// How many files a server needs that is as busy as it is allowed to be.
pub(crate) fn needed(config: &Config) -> u64 {
    let (api, delivery) = (&config.api, &config.delivery);
    let connections = [
        api.max_connections.get(),
        delivery.max_in_flight.get(),
        delivery.idle_connections,
    ];
    connections.into_iter().map(u64::from).sum::<u64>() + OWN
}
