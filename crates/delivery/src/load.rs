//! What this node says of itself to the others.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ringbolt_engine::{Engine, Snapshot};
use ringbolt_model::Timestamp;
use ringbolt_store::NodeLoad;

use crate::shared::Shared;

/// How often it is said, if it has changed.
const EVERY: Duration = Duration::from_secs(1);
/// The longest sleep of the driver; it wakes earlier for receipts and timers.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Remembers what was said last.
#[derive(Default)]
pub(crate) struct Reporter {
    said: NodeLoad,
    next: Timestamp,
}

impl Reporter {
    /// Says what is new. Returns after which time there may be more to say: something ends even if nothing comes.
    pub(crate) fn report(&mut self, shared: &Shared) -> Duration {
        let now = shared.clock.steady();
        if now >= self.next {
            self.next = now + EVERY;
            let snapshot = shared.look(Engine::snapshot);
            let load = load(&snapshot, shared.pending.load(Relaxed));
            if load != self.said {
                self.said = load;
                shared.store.report(load);
            }
        }
        let is_idle = self.said.lanes == 0 && self.said.in_flight == 0;
        if is_idle { LONGEST_SLEEP } else { EVERY }
    }
}

fn load(lanes: &Snapshot, rows: u64) -> NodeLoad {
    let busy = lanes.active + lanes.waiting_for_rate + lanes.held + lanes.broken;
    NodeLoad {
        lanes: busy as u64,
        in_flight: lanes.in_flight as u64,
        pending: lanes.deliveries as u64 + rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_disabled_lanes_do_not_count() {
        let snapshot = Snapshot {
            idle: 9,
            active: 1,
            broken: 2,
            disabled: 7,
            in_flight: 3,
            deliveries: 4,
            ..Snapshot::default()
        };
        let expected = NodeLoad {
            lanes: 3,
            in_flight: 3,
            pending: 9,
        };
        assert_eq!(load(&snapshot, 5), expected);
    }
}
