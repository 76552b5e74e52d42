//! The engine's counters against what its lanes really hold.

use std::collections::BTreeSet;

use ringbolt_model::EndpointId;

use crate::Engine;
use crate::lane::{Class, Lane};
use crate::memory::Held;

impl Engine {
    /// Fails unless everything that is counted is there, and nothing is there twice.
    pub(super) fn audit(&self) {
        let (mut in_flight, mut classes) = (0, [Held::default(); Class::COUNT]);
        for lane in self.lanes.iter().flatten() {
            audit_lane(lane);
            in_flight += lane.flight.len();
            classes[lane.class as usize].add(lane.held.bytes, lane.held.deliveries);
        }
        assert_eq!(self.share.in_flight(), in_flight);
        assert!(
            in_flight <= self.settings.in_flight,
            "{in_flight} in flight"
        );
        let all = [
            Class::Trusted,
            Class::Untested,
            Class::Hanging,
            Class::Stalled,
        ];
        assert_eq!(all.map(|class| self.memory.held_by(class)), classes);
        let most = &self.settings.memory;
        assert!(self.memory.held().deliveries <= most.deliveries);
    }

    pub(super) fn lane_count(&self) -> usize {
        self.lanes.iter().flatten().count()
    }

    pub(super) fn is_known_to_hang(&self, endpoint: EndpointId) -> bool {
        let number = self.by_endpoint[&endpoint];
        self.lanes[number as usize]
            .as_ref()
            .is_some_and(|lane| lane.trust.hangs())
    }

    pub(super) const fn looks(&self) -> u64 {
        self.looks
    }
}

fn audit_lane(lane: &Lane) {
    let waiting = || {
        lane.queue
            .iter()
            .chain(&lane.late)
            .chain(lane.flight.waiting())
    };
    let once: BTreeSet<_> = waiting().map(|waiting| waiting.message.id).collect();
    assert_eq!(
        once.len(),
        waiting().count(),
        "a delivery is twice in a lane"
    );
    assert_eq!(lane.held.deliveries, waiting().count() + lane.reserved);
    if lane.reserved == 0 {
        let bytes = waiting().map(|w| w.message.payload.as_ref().map_or(0, |p| p.len()));
        assert_eq!(lane.held.bytes, bytes.sum::<usize>());
    }
}
