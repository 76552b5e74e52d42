//! Memory: what waits in it is counted, in payload bytes and in deliveries, and bounded.

use ringbolt_model::MessageId;

use crate::hash::IdMap;
use crate::lane::Class;
use crate::settings::MemorySettings;

/// Names a payload that is held.
pub(crate) type PayloadId = u32;

/// The counts. A payload that is held by many deliveries counts once in all, and once for each class.
#[derive(Debug)]
pub(crate) struct Memory {
    settings: MemorySettings,
    payloads: Vec<Payload>,
    free: Vec<PayloadId>,
    /// Payloads of messages between `admit` and the end of their commit.
    reserved: IdMap<MessageId, PayloadId>,
    bytes: usize,
    classes: [Held; Class::COUNT],
    /// What pages that are being read may bring.
    pages: Held,
}

/// An amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) deliveries: usize,
    pub(crate) bytes: usize,
}

impl Held {
    /// More is held.
    pub(crate) const fn add(&mut self, bytes: usize, deliveries: usize) {
        self.bytes += bytes;
        self.deliveries += deliveries;
    }

    /// Less is held.
    pub(crate) const fn take(&mut self, bytes: usize, deliveries: usize) {
        self.bytes -= bytes;
        self.deliveries -= deliveries;
    }
}

#[derive(Debug, Clone, Copy)]
struct Payload {
    bytes: usize,
    holders: u32,
}

impl Memory {
    pub(crate) fn new(settings: MemorySettings) -> Self {
        Self {
            settings,
            payloads: Vec::new(),
            free: Vec::new(),
            reserved: IdMap::default(),
            bytes: 0,
            classes: [Held::default(); Class::COUNT],
            pages: Held::default(),
        }
    }

    /// All that is held; each payload once.
    pub(crate) fn held(&self) -> Held {
        let deliveries = self.classes.iter().map(|held| held.deliveries).sum();
        Held {
            deliveries,
            bytes: self.bytes,
        }
    }

    /// What lanes of a class hold.
    pub(crate) const fn held_by(&self, class: Class) -> Held {
        self.classes[class as usize]
    }

    /// How much more lanes of a class may hold.
    ///
    /// The last quarter is open only to a class that holds less than a quarter, so that no class
    /// shuts another out.
    pub(crate) fn room(&self, class: Class) -> Held {
        let (held, own) = (self.held(), self.held_by(class));
        let room = |most: usize, held: usize, own: usize| {
            let quarter = (most / 4).max(1);
            let shared = (most - most / 4).saturating_sub(held);
            let kept = quarter.saturating_sub(own).min(most.saturating_sub(held));
            if class == Class::Stalled {
                shared.min(kept)
            } else {
                shared.max(kept)
            }
        };
        let deliveries = held.deliveries + self.pages.deliveries;
        Held {
            deliveries: room(self.settings.deliveries, deliveries, own.deliveries),
            bytes: room(
                self.settings.bytes,
                held.bytes + self.pages.bytes,
                own.bytes,
            ),
        }
    }

    /// What one lane of a class may hold.
    pub(crate) const fn lane_bounds(&self, class: Class) -> Held {
        let share = match class {
            Class::Trusted => 1,
            Class::Untested => 4,
            Class::Hanging => 128,
            Class::Stalled => 512,
        };
        let Held { deliveries, bytes } = Held {
            deliveries: self.settings.lane_deliveries,
            bytes: self.settings.lane_bytes,
        };
        Held {
            deliveries: deliveries.div_ceil(share),
            bytes: bytes.div_ceil(share),
        }
    }

    /// Whether so much is held that lanes which hang should give some back.
    pub(crate) fn is_scarce(&self) -> bool {
        let held = self.held();
        held.deliveries * 2 > self.settings.deliveries || held.bytes * 2 > self.settings.bytes
    }

    /// Holds a delivery whose payload is not held yet.
    pub(crate) fn hold(&mut self, class: Class, bytes: usize) -> PayloadId {
        let payload = Payload { bytes, holders: 0 };
        let id = match self.free.pop() {
            Some(id) => {
                self.payloads[id as usize] = payload;
                id
            }
            None => {
                self.payloads.push(payload);
                (self.payloads.len() - 1) as PayloadId
            }
        };
        self.bytes += bytes;
        self.hold_too(class, id);
        id
    }

    /// Holds a further delivery of a payload.
    pub(crate) fn hold_too(&mut self, class: Class, id: PayloadId) {
        let payload = &mut self.payloads[id as usize];
        payload.holders += 1;
        self.classes[class as usize].deliveries += 1;
        self.classes[class as usize].bytes += payload.bytes;
    }

    /// A delivery leaves memory. Returns the bytes of its payload.
    pub(crate) fn release(&mut self, class: Class, id: PayloadId) -> usize {
        let payload = &mut self.payloads[id as usize];
        payload.holders -= 1;
        self.classes[class as usize].deliveries -= 1;
        self.classes[class as usize].bytes -= payload.bytes;
        if payload.holders == 0 {
            self.bytes -= payload.bytes;
            self.free.push(id);
        }
        payload.bytes
    }

    /// The size of a payload that is held.
    pub(crate) fn bytes(&self, id: PayloadId) -> usize {
        self.payloads[id as usize].bytes
    }

    /// A lane that holds this much is of another class now.
    pub(crate) const fn reclass(&mut self, from: Class, to: Class, held: Held) {
        self.classes[from as usize].deliveries -= held.deliveries;
        self.classes[from as usize].bytes -= held.bytes;
        self.classes[to as usize].deliveries += held.deliveries;
        self.classes[to as usize].bytes += held.bytes;
    }

    /// Remembers the payload of a message whose commit is under way.
    pub(crate) fn reserve(&mut self, message: MessageId, id: PayloadId) {
        self.reserved.insert(message, id);
    }

    /// The payload of a message whose commit has ended.
    pub(crate) fn take_reserved(&mut self, message: MessageId) -> Option<PayloadId> {
        self.reserved.remove(&message)
    }

    /// A page is being read.
    pub(crate) const fn page_asked(&mut self, page: Held) {
        self.pages.deliveries += page.deliveries;
        self.pages.bytes += page.bytes;
    }

    /// A page has been read, or not.
    pub(crate) const fn page_ended(&mut self, page: Held) {
        self.pages.deliveries -= page.deliveries;
        self.pages.bytes -= page.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        Memory::new(MemorySettings {
            bytes: 4000,
            deliveries: 100,
            lane_bytes: 1000,
            lane_deliveries: 1024,
        })
    }

    #[test]
    fn a_payload_counts_once() {
        let mut memory = memory();
        let id = memory.hold(Class::Trusted, 70);
        memory.hold_too(Class::Untested, id);
        assert_eq!(
            memory.held(),
            Held {
                deliveries: 2,
                bytes: 70
            }
        );
        memory.release(Class::Trusted, id);
        assert_eq!(
            memory.held(),
            Held {
                deliveries: 1,
                bytes: 70
            }
        );
        memory.release(Class::Untested, id);
        assert_eq!(memory.held(), Held::default());
        assert_eq!(memory.hold(Class::Trusted, 1), id);
    }

    #[test]
    fn no_class_shuts_another_out() {
        let mut memory = memory();
        while memory.room(Class::Trusted).deliveries > 0 {
            memory.hold(Class::Trusted, 0);
        }
        assert_eq!(memory.held().deliveries, 75);
        assert_eq!(memory.room(Class::Stalled).deliveries, 0);
        while memory.room(Class::Untested).deliveries > 0 {
            memory.hold(Class::Untested, 0);
        }
        assert_eq!(memory.held().deliveries, 100);
    }

    #[test]
    fn stalled_lanes_get_a_quarter_at_most() {
        let mut memory = memory();
        while memory.room(Class::Stalled).deliveries > 0 {
            memory.hold(Class::Stalled, 0);
        }
        assert_eq!(memory.held().deliveries, 25);
    }
}
