//! What happens in the world: events at their time, and what the engine wants done.

use std::sync::Arc;

use super::store::known_after;
use super::{Event, Known, World};
use crate::{Action, Change, Input};

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Commit {
                message,
                fresh,
                stored,
                fails: true,
            } => {
                self.tell(Input::Abandoned {
                    message: message.id,
                    fresh,
                    stored,
                });
            }
            Event::Commit {
                message,
                fresh,
                stored,
                fails: false,
            } => {
                self.commit(message, fresh, stored);
            }
            Event::Tell(input) => self.tell(input),
            Event::Configure(endpoint) => self.configure(endpoint, |_| {}),
            Event::Answer { delivery } => self.answer(delivery),
            Event::Record { delivery, decision } => {
                let gone = self.endpoints[&delivery.endpoint].removed;
                let change = if gone {
                    Change::Cancelled
                } else {
                    decision.change
                };
                self.set(delivery, known_after(self.deliveries[&delivery], change));
                if decision.awaits_record() {
                    self.soon(0, 3, Event::Tell(Input::Recorded { delivery }));
                }
            }
            Event::ReadPage {
                endpoint,
                limit,
                bytes,
            } => self.read_page(endpoint, limit, bytes),
            Event::WriteSpill { deliveries } => self.write_spill(&deliveries),
        }
    }

    pub(super) fn act(&mut self, out: Vec<Action>) {
        for action in out {
            if self.keep_log {
                self.log.push(format!("{} {action:?}", self.now));
            }
            match action {
                Action::Start(start) => self.start(start),
                Action::Load {
                    endpoint,
                    limit,
                    bytes,
                } => {
                    assert!(limit > 0 && bytes > 0);
                    self.soon(
                        0,
                        3,
                        Event::ReadPage {
                            endpoint,
                            limit,
                            bytes,
                        },
                    );
                }
                Action::Spill { deliveries } => {
                    assert!(!deliveries.is_empty());
                    self.soon(1, 4, Event::WriteSpill { deliveries });
                }
                Action::Cancel { deliveries } => {
                    for key in deliveries {
                        assert!(self.endpoints[&key.endpoint].removed);
                        self.set(key, Known::Ended(Change::Cancelled));
                    }
                }
                Action::Disable { endpoint, .. } => {
                    let target = &mut self.endpoints.get_mut(&endpoint).unwrap().target;
                    Arc::make_mut(&mut target.settings).disabled = true;
                    self.soon(1, 4, Event::Configure(endpoint));
                }
                Action::Warn { .. } | Action::Breaker { .. } => {}
                Action::Health {
                    endpoint, failing, ..
                } => {
                    let target = &mut self.endpoints.get_mut(&endpoint).unwrap().target;
                    Arc::make_mut(&mut target.settings).failing = failing;
                }
            }
        }
        if !self.rarely || self.tickets.is_multiple_of(4096) {
            self.engine.audit();
        }
    }
}
