//! Views: what operators, metrics and the accepting side are told.

use ringbolt_model::{AppId, EndpointId, Timestamp};

use super::Engine;
use crate::lane::rows::Intake;
use crate::lane::{AppTurn, Class, Lane};
use crate::snapshot::{LaneState, LaneView, Pressure, Snapshot};

impl Engine {
    /// Totals; looks at every lane.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let held = self.memory.held();
        let mut snapshot = Snapshot {
            in_flight: self.share.in_flight(),
            deliveries: held.deliveries,
            bytes: held.bytes,
            ..Snapshot::default()
        };
        for lane in self.lanes.iter().flatten() {
            snapshot.behind += usize::from(lane.rows.intake == Intake::Behind);
            *match lane.state() {
                LaneState::Idle => &mut snapshot.idle,
                LaneState::Active => &mut snapshot.active,
                LaneState::WaitingForRate => &mut snapshot.waiting_for_rate,
                LaneState::Held => &mut snapshot.held,
                LaneState::Broken => &mut snapshot.broken,
                LaneState::Disabled => &mut snapshot.disabled,
            } += 1;
        }
        snapshot
    }

    /// The endpoints of the lanes that it knows, each with its application.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(EndpointId, AppId)> {
        let lanes = self.lanes.iter().flatten();
        lanes.map(|lane| (lane.endpoint, lane.app)).collect()
    }

    /// One lane; `None` if nothing is going on there.
    #[must_use]
    pub fn lane_view(&self, endpoint: EndpointId) -> Option<LaneView> {
        self.lanes[self.number(endpoint)? as usize]
            .as_ref()
            .map(Lane::view)
    }

    /// How far deliveries lag behind what is accepted. Costs nothing.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        let held = self.memory.held();
        Pressure {
            flowing: self.memory.held_by(Class::Trusted).deliveries,
            deliveries: held.deliveries,
            most_deliveries: self.settings.memory.deliveries,
            bytes: held.bytes,
            most_bytes: self.settings.memory.bytes,
        }
    }
}

impl Lane {
    fn state(&self) -> LaneState {
        let waits = self.rate_wait.is_some() || self.app_turn == AppTurn::Waits;
        if !self.is_open() {
            LaneState::Disabled
        } else if self.breaker.is_open() {
            LaneState::Broken
        } else if self.held_until.is_some() {
            LaneState::Held
        } else if waits && !self.queue.is_empty() {
            LaneState::WaitingForRate
        } else if self.held.deliveries > 0 || self.rows.intake == Intake::Behind {
            LaneState::Active
        } else {
            LaneState::Idle
        }
    }

    fn view(&self) -> LaneView {
        LaneView {
            endpoint: self.endpoint,
            app: self.app,
            state: self.state(),
            in_flight: self.flight.len(),
            width: self.width.now(false),
            deliveries: self.held.deliveries,
            bytes: self.held.bytes,
            behind: self.rows.intake == Intake::Behind,
            next_due: self.rows.due.filter(|due| *due < Timestamp::FAR_FUTURE),
            held_until: self.held_until,
            next_probe: self.breaker.next_probe(),
            failing: self.health.failing(),
        }
    }
}
