//! What a node has in memory by right, and the fence that ends it.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use parking_lot::{Mutex, MutexGuard};
use ringbolt_model::MessageId;

use super::{Marks, Turn};

/// What a node has in memory. When others have taken over, nothing of it is written until the node is another.
#[derive(Debug, Default)]
pub struct Holdings {
    marks: Mutex<Marks>,
    fenced: AtomicBool,
}

impl Holdings {
    /// Others have taken over; says whether that is new.
    pub fn fence(&self) -> bool {
        // First the fence: who opens marks looks for it with the marks in his hand.
        let new = !self.fenced.swap(true, SeqCst);
        self.marks.lock().clear();
        new
    }

    /// Nothing is written any more, as if the process had been killed.
    #[cfg(test)]
    pub(crate) fn freeze(&self) {
        self.fenced.store(true, SeqCst);
    }

    /// This node is another, which has nothing yet.
    pub fn lift_fence(&self) {
        self.fenced.store(false, SeqCst);
    }

    /// Whether this node may not write what it has, since others have it.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(SeqCst)
    }

    /// The marks.
    pub fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock()
    }

    /// Marks what a transaction has brought into memory: messages, with the number of their deliveries. Unless others have
    /// it already, who took over between the commit and this; `incarnation` is this node's of now.
    pub fn open(
        &self,
        turn: &Turn,
        incarnation: impl FnOnce() -> i64,
        messages: impl Iterator<Item = (MessageId, usize)>,
    ) {
        let mut marks = self.marks.lock();
        if self.is_fenced() || incarnation() != turn.incarnation {
            return;
        }
        for (message, deliveries) in messages {
            marks.open(turn.mark(), message, deliveries);
        }
    }

    /// Whether the outcome of a try is none of this node's any more: all are, if it is fenced; otherwise those of deliveries
    /// that an earlier incarnation had in memory.
    #[must_use]
    pub fn is_foreign(&self, message: MessageId, in_memory: bool) -> bool {
        self.is_fenced() || in_memory && !self.marks.lock().knows(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Turn = Turn {
        incarnation: 3,
        number: 0,
        batch: 1,
    };

    #[test]
    fn nothing_is_held_behind_the_fence_or_by_another_incarnation() {
        let (holdings, message) = (Holdings::default(), MessageId::from(1));
        let open = |incarnation| holdings.open(&TURN, || incarnation, [(message, 2)].into_iter());
        open(3);
        assert!(!holdings.is_foreign(message, true));
        assert!(holdings.fence() && !holdings.fence());
        open(3);
        assert!(holdings.is_foreign(message, false));
        holdings.lift_fence();
        open(4);
        assert!(holdings.is_foreign(message, true));
        assert!(!holdings.is_foreign(message, false));
    }
}
