//! How many files and connections the process may have open.

use std::num::NonZeroU32;

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
/// connections. Where it does not suffice, fewer connections are allowed than configured: whoever comes
/// when there is no file left for them cannot be let in, however idle the others are.
pub(crate) fn raise(config: &mut Config) {
    let before = OpenFiles::now();
    let raised = Rlimit {
        current: before.hard,
        maximum: before.hard,
    };
    if let Err(why) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(error = %why, "the limit of open files stays as it is");
    }
    let (after, needed) = (OpenFiles::now(), needed(config));
    let Some(limit) = after.soft.filter(|_| !after.suffice_for(needed)) else {
        return;
    };
    let allowed = Allowed::of(config).within(limit);
    tracing::warn!(
        limit,
        needed,
        connections = allowed.connections,
        in_flight = allowed.in_flight,
        idle = allowed.idle,
        "fewer files can be open than the configured connections need, so fewer connections are made and taken",
    );
    allowed.apply(config);
}

/// How many connections are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowed {
    /// Of clients.
    connections: u32,
    /// Of attempts.
    in_flight: u32,
    /// Idle ones, to endpoints.
    idle: u32,
}

impl Allowed {
    fn of(config: &Config) -> Self {
        Self {
            connections: config.api.max_connections.get(),
            in_flight: config.delivery.max_in_flight.get(),
            idle: config.delivery.idle_connections,
        }
    }

    /// What is left of these if only so many files can be open. Clients get what deliveries leave, but
    /// half in any case; of the other half attempts get three quarters.
    fn within(self, files: u64) -> Self {
        let files = u32::try_from(files.saturating_sub(OWN)).unwrap_or(u32::MAX);
        let outward = self.in_flight.saturating_add(self.idle);
        let left = files.saturating_sub(outward).max(files / 2).max(1);
        let connections = self.connections.min(left);
        let outward = files.saturating_sub(connections);
        let attempts = outward.saturating_sub(self.idle).max(outward / 4 * 3);
        let in_flight = self.in_flight.min(attempts.max(1));
        Self {
            connections,
            in_flight,
            idle: self.idle.min(outward.saturating_sub(in_flight)),
        }
    }

    fn apply(self, config: &mut Config) {
        let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        config.api.max_connections = positive(self.connections);
        config.delivery.max_in_flight = positive(self.in_flight);
        config.delivery.idle_connections = self.idle;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn within(files: u64) -> (u32, u32, u32) {
        let configured = Allowed {
            connections: 10_000,
            in_flight: 1024,
            idle: 1024,
        };
        let allowed = configured.within(files);
        (allowed.connections, allowed.in_flight, allowed.idle)
    }

    #[test]
    fn fewer_files_leave_fewer_connections_and_never_more_than_there_are_files() {
        assert_eq!(within(20_000), (10_000, 1024, 1024));
        assert_eq!(within(10_000 + 2048 + OWN), (10_000, 1024, 1024));
        assert_eq!(within(8_000), (8_000 - 64 - 2048, 1024, 1024));
        assert_eq!(within(1024), (480, 360, 120));
        assert_eq!(within(0), (1, 1, 0));
        for files in OWN + 2..14_000 {
            let (connections, in_flight, idle) = within(files);
            let sum = u64::from(connections) + u64::from(in_flight) + u64::from(idle);
            assert!(
                sum + OWN <= files,
                "{files}: {connections}, {in_flight}, {idle}"
            );
            assert!(u64::from(connections) >= (files - OWN) / 2 || connections == 10_000);
        }
    }
}
