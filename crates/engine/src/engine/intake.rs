//! Intake: which new deliveries go into memory, and what becomes of them at the commit.

use std::sync::Arc;

use ringbolt_model::{DeliveryKey, EndpointId, Message, MessageId, Timestamp, Trigger};

use super::Engine;
use super::shedding::spill;
use crate::action::{Action, Admission};
use crate::input::Target;
use crate::lane::Waiting;
use crate::lane::rows::Intake;
use crate::memory::PayloadId;

impl Engine {
    /// Before the commit of a message: which of its deliveries may go into memory. Room is reserved
    /// for them until [`crate::Input::Committed`] or [`crate::Input::Abandoned`], which must follow
    /// with the endpoints of this answer. Each endpoint is named once.
    pub fn admit(
        &mut self,
        now: Timestamp,
        message: MessageId,
        payload_bytes: usize,
        targets: &[Target],
    ) -> Admission {
        let mut admission = Admission::default();
        let mut payload = None;
        for target in targets {
            let number = self.lane_for(target);
            if self.reserve(number, now, payload_bytes, &mut payload) {
                admission.fresh.push(target.endpoint);
            } else {
                admission.stored.push(target.endpoint);
            }
        }
        if let Some(payload) = payload {
            self.memory.reserve(message, payload);
        }
        admission
    }

    /// Reserves room in a lane, or notes that a row is on its way.
    fn reserve(
        &mut self,
        number: u32,
        now: Timestamp,
        bytes: usize,
        payload: &mut Option<PayloadId>,
    ) -> bool {
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("it was just found or made");
        let room = self.memory.room(lane.class);
        let bounds = self.memory.lane_bounds(lane.class);
        let new_bytes = if payload.is_none() { bytes } else { 0 };
        let fits = room.deliveries > 0
            && room.bytes >= new_bytes
            && lane.held.deliveries < bounds.deliveries
            && lane.held.bytes + bytes <= bounds.bytes;
        let overdue = lane.rows.are_due(now) && lane.is_busy(&self.settings);
        if !fits || overdue || !lane.is_open() || lane.rows.intake == Intake::Behind {
            lane.rows.refused += 1;
            lane.rows.intake = Intake::Behind;
            return false;
        }
        match *payload {
            Some(payload) => self.memory.hold_too(lane.class, payload),
            None => *payload = Some(self.memory.hold(lane.class, bytes)),
        }
        lane.held.add(bytes, 1);
        lane.reserved += 1;
        lane.reserved_late += usize::from(lane.rows.intake == Intake::Joining);
        true
    }

    pub(super) fn committed(
        &mut self,
        now: Timestamp,
        message: &Arc<Message>,
        fresh: &[EndpointId],
        stored: &[EndpointId],
        out: &mut Vec<Action>,
    ) {
        if let Some(payload) = self.memory.take_reserved(message.id) {
            for endpoint in fresh {
                self.queue_fresh(now, *endpoint, message, payload, out);
            }
        }
        for endpoint in stored {
            let Some(number) = self.number(*endpoint) else {
                continue;
            };
            let rows = &mut self.lane(number).rows;
            rows.refused = rows.refused.saturating_sub(1);
            rows.add(now);
            self.tend(number, now, out);
        }
    }

    fn queue_fresh(
        &mut self,
        now: Timestamp,
        endpoint: EndpointId,
        message: &Arc<Message>,
        payload: PayloadId,
        out: &mut Vec<Action>,
    ) {
        let Some(number) = self.number(endpoint) else {
            return;
        };
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("its number was just found");
        let late = lane.end_reservation();
        let waiting = Waiting {
            message: Arc::clone(message),
            payload,
            attempts: 0,
            trigger: Trigger::Scheduled,
            fresh: true,
        };
        if !lane.is_open() {
            lane.held.take(self.memory.release(lane.class, payload), 1);
            spill(lane, vec![message.id], out);
        } else if late {
            lane.late.push_back(waiting);
        } else {
            lane.queue.push_back(waiting);
        }
        self.tend(number, now, out);
    }

    pub(super) fn abandoned(
        &mut self,
        now: Timestamp,
        message: MessageId,
        fresh: &[EndpointId],
        stored: &[EndpointId],
        out: &mut Vec<Action>,
    ) {
        let payload = self.memory.take_reserved(message);
        for (payload, endpoint) in payload
            .iter()
            .flat_map(|p| fresh.iter().map(move |e| (*p, e)))
        {
            let Some(number) = self.number(*endpoint) else {
                continue;
            };
            let lane = self.lanes[number as usize]
                .as_mut()
                .expect("its number was just found");
            lane.end_reservation();
            lane.held.take(self.memory.release(lane.class, payload), 1);
            self.tend(number, now, out);
        }
        for endpoint in stored {
            let Some(number) = self.number(*endpoint) else {
                continue;
            };
            let rows = &mut self.lane(number).rows;
            rows.refused = rows.refused.saturating_sub(1);
            self.tend(number, now, out);
        }
    }

    pub(super) fn stored(
        &mut self,
        now: Timestamp,
        target: &Target,
        due: Timestamp,
        manual: bool,
        out: &mut Vec<Action>,
    ) {
        let number = self.lane_for(target);
        let lane = self.lane(number);
        lane.rows.add(due);
        if lane.rows.spilling > 0 {
            lane.rows.spilling -= 1;
        } else if due <= now {
            lane.rows.fall_behind(now);
        }
        if manual {
            lane.breaker.probe_at(now);
        }
        self.tend(number, now, out);
    }

    pub(super) fn recorded(
        &mut self,
        now: Timestamp,
        delivery: DeliveryKey,
        out: &mut Vec<Action>,
    ) {
        if let Some(number) = self.number(delivery.endpoint) {
            self.lane(number).rows.recorded(now, delivery.message);
            self.tend(number, now, out);
        }
    }
}
