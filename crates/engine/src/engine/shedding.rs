//! Shedding: lanes that do not move give their memory back to the store.

use std::collections::VecDeque;

use ringbolt_model::{MessageId, Timestamp};

use crate::action::Action;
use crate::lane::rows::Intake;
use crate::lane::{Class, Lane, Waiting};
use crate::memory::{Held, Memory};

/// What a lane may keep in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    /// Fresh deliveries, the oldest.
    fresh: Held,
    /// Rows that were read, the first.
    rows: usize,
}

impl Keep {
    /// What a lane may keep; `None` if it holds no more than that.
    pub(super) fn of(lane: &Lane, memory: &Memory, now: Timestamp) -> Option<Self> {
        if lane.queue.is_empty() && lane.late.is_empty() {
            return None;
        }
        let keep = match lane.class {
            Class::Stalled => Self::of_stalled(lane, memory, now),
            Class::Hanging if memory.is_scarce() => Self {
                fresh: memory.lane_bounds(Class::Hanging),
                rows: usize::MAX,
            },
            _ => return None,
        };
        (!keep.suffices(lane)).then_some(keep)
    }

    /// Nothing stays for an endpoint that is disabled or deleted. Otherwise a few fresh deliveries do
    /// while there is room, and a row that is about to probe.
    fn of_stalled(lane: &Lane, memory: &Memory, now: Timestamp) -> Self {
        let room = memory.room(Class::Stalled);
        let crowded = room.deliveries == 0 || room.bytes == 0;
        let none = crowded || !lane.is_open();
        let fresh = if none {
            Held::default()
        } else {
            memory.lane_bounds(Class::Stalled)
        };
        Self {
            fresh,
            rows: usize::from(lane.is_open() && lane.may_try(now)),
        }
    }

    fn suffices(self, lane: &Lane) -> bool {
        let rows = lane.queue.iter().filter(|waiting| !waiting.fresh).count();
        let fresh = lane.queue.len() + lane.late.len() - rows;
        let bytes_fit = fresh == 0 || lane.held.bytes <= self.fresh.bytes;
        rows <= self.rows && fresh <= self.fresh.deliveries && bytes_fit
    }

    /// Gives back what the lane may not keep.
    pub(super) fn apply(
        mut self,
        lane: &mut Lane,
        memory: &mut Memory,
        now: Timestamp,
        out: &mut Vec<Action>,
    ) {
        let (queue, late) = (
            std::mem::take(&mut lane.queue),
            std::mem::take(&mut lane.late),
        );
        let (mut spilled, mut rows_left) = (Vec::new(), false);
        for (waiting, is_late) in with(queue, false).chain(with(late, true)) {
            let bytes = memory.bytes(waiting.payload);
            if !self.takes(&waiting, bytes, !spilled.is_empty()) {
                lane.held
                    .take(memory.release(lane.class, waiting.payload), 1);
                rows_left |= !waiting.fresh;
                if waiting.fresh {
                    spilled.push(waiting.message.id);
                }
            } else if is_late || rows_left {
                lane.late.push_back(waiting);
            } else {
                lane.queue.push_back(waiting);
            }
        }
        if rows_left && !lane.removed {
            lane.rows.fall_behind(now);
        }
        spill(lane, spilled, out);
    }

    /// Whether this one may stay; it counts then. Nothing fresh stays that is younger than one that
    /// does not.
    fn takes(&mut self, waiting: &Waiting, bytes: usize, older_gone: bool) -> bool {
        if !waiting.fresh {
            let stays = self.rows > 0;
            self.rows = self.rows.saturating_sub(1);
            return stays;
        }
        let stays = !older_gone && self.fresh.deliveries > 0 && self.fresh.bytes >= bytes;
        if stays {
            self.fresh.take(bytes, 1);
        }
        stays
    }
}

fn with(queue: VecDeque<Waiting>, late: bool) -> impl Iterator<Item = (Waiting, bool)> {
    queue.into_iter().map(move |waiting| (waiting, late))
}

/// Fresh deliveries leave a lane's memory for the store.
pub(super) fn spill(lane: &mut Lane, gone: Vec<MessageId>, out: &mut Vec<Action>) {
    if gone.is_empty() {
        return;
    }
    let deliveries = gone.into_iter().map(|message| lane.key(message)).collect();
    if lane.removed {
        out.push(Action::Cancel { deliveries });
        return;
    }
    lane.rows.spilling += 1;
    lane.rows.intake = Intake::Behind;
    out.push(Action::Spill { deliveries });
}
