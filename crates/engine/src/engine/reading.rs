//! Reading: pages of rows that are due come back into memory.

use ringbolt_model::{EndpointId, MessageId, Timestamp};

use super::Engine;
use crate::action::Action;
use crate::hash::IdSet;
use crate::input::StoredDelivery;
use crate::lane::{Lane, Waiting};
use crate::memory::{Held, Memory};

impl Engine {
    /// Asks for the pages that lanes want, as far as there is room for them.
    pub(super) fn read_pages(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        let mut refused = 0;
        while refused < 2 && self.pages.may_read() {
            let line = self.pages.next_line();
            match self.read_next(line, now, out) {
                true => refused = 0,
                false => refused += 1,
            }
        }
    }

    /// Asks for the page of the first lane in a line; `false` if there is none, or no room.
    fn read_next(&mut self, line: usize, now: Timestamp, out: &mut Vec<Action>) -> bool {
        while let Some(number) = self.pages.first(line) {
            let Some(lane) = self.lanes[number as usize]
                .as_mut()
                .filter(|lane| lane.rows.in_line)
            else {
                self.pages.leave(line);
                continue;
            };
            let Some(rows) = lane.page(now, &self.settings) else {
                lane.rows.in_line = false;
                self.pages.leave(line);
                continue;
            };
            let room = self.memory.room(lane.class);
            let page = Held {
                deliveries: rows.min(room.deliveries),
                bytes: self.settings.pages.bytes.min(room.bytes),
            };
            if page.deliveries == 0 || page.bytes == 0 {
                return false;
            }
            lane.rows.in_line = false;
            lane.rows.read(page);
            self.pages.leave(line);
            self.pages.read();
            self.memory.page_asked(page);
            out.push(lane.load(page));
            return true;
        }
        false
    }

    /// The page that a lane was waiting for has come, or not: its room is given back.
    fn page_ended(&mut self, page: Held) {
        self.pages.ended();
        self.memory.page_ended(page);
    }

    pub(super) fn load_failed(
        &mut self,
        now: Timestamp,
        endpoint: EndpointId,
        out: &mut Vec<Action>,
    ) {
        let Some(number) = self.number(endpoint) else {
            return;
        };
        let Some(page) = self.lane(number).rows.read_failed(now) else {
            return;
        };
        self.page_ended(page);
        self.tend(number, now, out);
    }

    pub(super) fn loaded(
        &mut self,
        now: Timestamp,
        endpoint: EndpointId,
        deliveries: Vec<StoredDelivery>,
        next_due: Option<Timestamp>,
        more: bool,
        out: &mut Vec<Action>,
    ) {
        let Some(number) = self.number(endpoint) else {
            return;
        };
        let Some(page) = self.lane(number).rows.reading.take() else {
            return;
        };
        self.page_ended(page);
        let lane = self.lanes[number as usize]
            .as_mut()
            .expect("its number was just found");
        let taken = lane.take_page(&mut self.memory, page, deliveries);
        let more = more || taken.left;
        lane.rows.was_read(now, next_due, more);
        match more && taken.new == 0 {
            true => lane.rows.wait(now),
            false => lane.rows.go_on(),
        }
        self.tend(number, now, out);
    }
}

/// What became of a page.
struct Taken {
    /// Rows that were new.
    new: usize,
    /// Whether rows were left in the store.
    left: bool,
}

impl Lane {
    fn load(&self, page: Held) -> Action {
        let queued = self
            .queue
            .iter()
            .chain(self.flight.waiting())
            .filter(|one| !one.fresh);
        let known = queued.fold(Held::default(), |mut known, one| {
            known.add(
                one.message
                    .payload
                    .as_ref()
                    .map_or(0, |payload| payload.len()),
                1,
            );
            known
        });
        Action::Load {
            endpoint: self.endpoint,
            limit: page.deliveries + known.deliveries + self.rows.disbelieved().count(),
            bytes: page.bytes + known.bytes,
        }
    }

    /// Queues the rows of a page that are new, as far as was agreed.
    fn take_page(
        &mut self,
        memory: &mut Memory,
        page: Held,
        deliveries: Vec<StoredDelivery>,
    ) -> Taken {
        let mut taken = Taken {
            new: 0,
            left: false,
        };
        if !self.is_open() {
            return Taken {
                new: 0,
                left: !deliveries.is_empty(),
            };
        }
        let mut known = self.known();
        let (mut bytes_left, mut old) = (page.bytes, IdSet::default());
        for StoredDelivery {
            message,
            attempts,
            trigger,
        } in deliveries
        {
            if !known.insert(message.id) {
                old.insert(message.id);
                continue;
            }
            let bytes = message.payload.as_ref().map_or(0, |payload| payload.len());
            if taken.new == page.deliveries || (taken.new > 0 && bytes > bytes_left) {
                taken.left = true;
                break;
            }
            bytes_left = bytes_left.saturating_sub(bytes);
            taken.new += 1;
            self.held.add(bytes, 1);
            let payload = memory.hold(self.class, bytes);
            self.queue.push_back(Waiting {
                message,
                payload,
                attempts,
                trigger,
                fresh: false,
            });
        }
        self.rows.saw(&old);
        taken
    }

    /// The messages whose rows are no news.
    fn known(&self) -> IdSet<MessageId> {
        let waiting = self
            .queue
            .iter()
            .chain(&self.late)
            .map(|waiting| waiting.message.id);
        waiting
            .chain(self.flight.waiting().map(|one| one.message.id))
            .chain(self.rows.disbelieved())
            .collect()
    }
}
