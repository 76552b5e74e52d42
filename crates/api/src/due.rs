//! When a pending delivery is tried next, and what it waits for: its row says when it is due, and its lane
//! whether anything may be sent then.

use ringbolt_delivery::{LaneState, LaneView};
use ringbolt_model::Timestamp;
use ringbolt_store::DeliveryView;

/// The next try of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Due {
    /// When it is due; none if none is planned.
    pub(crate) at: Option<Timestamp>,
    /// What stands before it besides its own schedule.
    pub(crate) waits_for: Option<&'static str>,
}

impl Due {
    /// Of a delivery to the endpoint of this lane. A lane that nobody knows is idle: nothing stands there.
    pub(crate) fn new(view: &DeliveryView, lane: Option<&LaneView>, now: Timestamp) -> Self {
        // Nothing is planned for what is parked.
        let Some(due) = view.next_attempt.filter(|_| !view.parked) else {
            return Self::default();
        };
        let held_until = lane.and_then(|lane| lane.held_until).unwrap_or(due);
        match lane.map(|lane| (lane.state, lane.next_probe)) {
            Some((LaneState::Broken, probe)) => Self {
                at: Some(due.max(held_until).max(next_probe(probe, now))),
                waits_for: Some("breaker"),
            },
            Some((LaneState::Held, _)) => Self {
                at: Some(due.max(held_until)),
                waits_for: Some("retry_after"),
            },
            _ => Self {
                at: Some(due),
                waits_for: None,
            },
        }
    }
}

/// When a lane whose breaker is open is tried next. With a probe under way that depends on what comes of it.
pub(crate) fn next_probe(planned: Option<Timestamp>, now: Timestamp) -> Timestamp {
    planned.unwrap_or(now).max(now)
}

#[cfg(test)]
mod tests {
    use ringbolt_model::{AppId, DeliveryState, EndpointId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn lane(state: LaneState, next_probe: Option<i64>, held_until: Option<i64>) -> LaneView {
        let after = |seconds| Timestamp::from_seconds(NOW.as_seconds() + seconds);
        LaneView {
            endpoint: EndpointId::from(2),
            app: AppId::from(1),
            state,
            in_flight: 0,
            width: 10,
            deliveries: 0,
            bytes: 0,
            behind: true,
            next_due: None,
            held_until: held_until.map(after),
            next_probe: next_probe.map(after),
            failing: None,
        }
    }

    /// In how many seconds a delivery that was due before or after now is tried.
    fn due(at: i64, lane: Option<&LaneView>) -> (i64, Option<&'static str>) {
        let view = DeliveryView {
            state: DeliveryState::Pending,
            parked: false,
            next_attempt: Some(Timestamp::from_seconds(NOW.as_seconds() + at)),
        };
        let due = Due::new(&view, lane, NOW);
        let parked = DeliveryView {
            parked: true,
            ..view
        };
        assert_eq!(Due::new(&parked, lane, NOW), Due::default());
        (
            due.at.unwrap().as_seconds() - NOW.as_seconds(),
            due.waits_for,
        )
    }

    #[test]
    fn what_waits_behind_an_open_breaker_is_due_at_its_next_probe_and_never_in_the_past() {
        let open = lane(LaneState::Broken, Some(40), None);
        assert_eq!(due(-300, Some(&open)), (40, Some("breaker")));
        assert_eq!(due(90, Some(&open)), (90, Some("breaker")));
        let probing = lane(LaneState::Broken, None, None);
        assert_eq!(due(-300, Some(&probing)), (0, Some("breaker")));
        let overdue = lane(LaneState::Broken, Some(-2), Some(60));
        assert_eq!(due(-300, Some(&overdue)), (60, Some("breaker")));
    }

    #[test]
    fn what_an_endpoint_asked_for_is_waited_for() {
        let held = lane(LaneState::Held, None, Some(120));
        assert_eq!(due(-5, Some(&held)), (120, Some("retry_after")));
        assert_eq!(
            due(-5, Some(&lane(LaneState::Active, None, None))),
            (-5, None)
        );
        assert_eq!(due(7, None), (7, None));
    }
}
