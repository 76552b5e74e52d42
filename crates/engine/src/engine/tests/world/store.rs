//! The world's store: what is durable, in which order it is told, and what a page of it shows.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::{DeliveryKey, EndpointId, Message, MessageId, Timestamp, Trigger};

use super::{Event, Known, START, World};
use crate::{Change, Endpoints, Input, StoredDelivery};

impl World {
    pub(super) fn set(&mut self, key: DeliveryKey, known: Known) {
        let before = self.deliveries.insert(key, known);
        if let Some(Known::Row { due, .. }) = before {
            self.rows.remove(&(key.endpoint, due, key.message));
        }
        if let Known::Row { due, .. } = known {
            self.rows.insert((key.endpoint, due, key.message));
        }
    }

    pub(super) fn commit(&mut self, message: Arc<Message>, fresh: Endpoints, stored: Endpoints) {
        self.messages.insert(message.id, Arc::clone(&message));
        for endpoint in &fresh {
            self.set(
                DeliveryKey {
                    message: message.id,
                    endpoint: *endpoint,
                },
                Known::Fresh,
            );
        }
        for endpoint in &stored {
            let gone = self.endpoints[endpoint].removed;
            let row = Known::Row {
                due: self.now,
                attempts: 0,
                trigger: Trigger::Scheduled,
            };
            let known = if gone {
                Known::Ended(Change::Cancelled)
            } else {
                row
            };
            self.set(
                DeliveryKey {
                    message: message.id,
                    endpoint: *endpoint,
                },
                known,
            );
        }
        // They are told in the order of their commits.
        self.last_told = self.last_told.max(self.now + self.millis(0, 1));
        self.at(
            self.last_told,
            Event::Tell(Input::Committed {
                message,
                fresh,
                stored,
            }),
        );
    }

    pub(super) fn write_spill(&mut self, deliveries: &[DeliveryKey]) {
        let mut due = self.now;
        for key in deliveries {
            due = START + Duration::from_micros(key.message.raw());
            let gone = self.endpoints[&key.endpoint].removed;
            let row = Known::Row {
                due,
                attempts: 0,
                trigger: Trigger::Scheduled,
            };
            self.set(
                *key,
                if gone {
                    Known::Ended(Change::Cancelled)
                } else {
                    row
                },
            );
        }
        let target = self.endpoints[&deliveries[0].endpoint].target.clone();
        self.soon(
            0,
            2,
            Event::Tell(Input::Stored {
                target,
                due,
                manual: false,
            }),
        );
    }

    pub(super) fn read_page(&mut self, endpoint: EndpointId, limit: usize, mut bytes: usize) {
        self.reads += 1;
        if self.loads_fail {
            return self.soon(0, 2, Event::Tell(Input::LoadFailed { endpoint }));
        }
        let all = (endpoint, Timestamp::default(), MessageId::from(0))
            ..(endpoint, Timestamp::FAR_FUTURE, MessageId::from(0));
        let mut deliveries = Vec::new();
        let (mut next_due, mut more) = (None, false);
        for (_, due, message) in self.rows.range(all) {
            let message = &self.messages[message];
            let size = message.payload.as_ref().map_or(0, |payload| payload.len());
            if *due > self.now {
                next_due = Some(*due);
                break;
            }
            if deliveries.len() == limit || (!deliveries.is_empty() && size > bytes) {
                more = true;
                break;
            }
            bytes = bytes.saturating_sub(size);
            let key = DeliveryKey {
                message: message.id,
                endpoint,
            };
            let Known::Row {
                attempts, trigger, ..
            } = self.deliveries[&key]
            else {
                panic!("the index has a row that is none")
            };
            deliveries.push(StoredDelivery {
                message: Arc::clone(message),
                attempts,
                trigger,
            });
        }
        let loaded = Input::Loaded {
            endpoint,
            deliveries,
            next_due,
            more,
        };
        self.soon(0, 3, Event::Tell(loaded));
    }
}

pub(super) fn known_after(before: Known, change: Change) -> Known {
    match change {
        // The endpoint was deleted meanwhile.
        _ if before == Known::Ended(Change::Cancelled) => before,
        Change::Retry { at, attempts } => Known::Row {
            due: at,
            attempts,
            trigger: Trigger::Scheduled,
        },
        ended => Known::Ended(ended),
    }
}
