//! Requests that wait for their message to be on disk.

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Those who wait, by ticket; tickets are used again.
pub(crate) struct Waiters<T>(Mutex<Slots<T>>);

struct Slots<T> {
    slots: Vec<Option<oneshot::Sender<T>>>,
    free: Vec<usize>,
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Self(Mutex::new(Slots {
            slots: Vec::new(),
            free: Vec::new(),
        }))
    }
}

impl<T> Waiters<T> {
    /// A ticket, and where its answer will arrive. The ticket says which generation of the engine knows of
    /// the request.
    pub(crate) fn join(&self, generation: u32) -> (u64, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        let mut slots = self.0.lock();
        let ticket = match slots.free.pop() {
            Some(ticket) => ticket,
            None => {
                slots.slots.push(None);
                slots.slots.len() - 1
            }
        };
        slots.slots[ticket] = Some(sender);
        (
            u64::from(generation) << GENERATION_SHIFT | ticket as u64,
            receiver,
        )
    }

    /// Answers a ticket; the one who waited may have gone.
    pub(crate) fn answer(&self, ticket: u64, answer: T) {
        let mut slots = self.0.lock();
        let ticket = (ticket & ((1 << GENERATION_SHIFT) - 1)) as usize;
        if let Some(sender) = slots.slots.get_mut(ticket).and_then(Option::take) {
            slots.free.push(ticket);
            drop(slots);
            let _gone = sender.send(answer);
        }
    }
}

/// The lower bits of a ticket are its place, the upper ones its generation.
const GENERATION_SHIFT: u32 = 32;

/// The generation of the engine that a ticket's request belongs to.
pub(crate) const fn generation(ticket: u64) -> u32 {
    (ticket >> GENERATION_SHIFT) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ticket_gets_its_own_answer_and_is_used_again() {
        let waiters = Waiters::default();
        let (a, mut first) = waiters.join(0);
        let (b, mut second) = waiters.join(7);
        assert_eq!((generation(a), generation(b)), (0, 7));
        waiters.answer(b, "b");
        waiters.answer(a, "a");
        assert_eq!((first.try_recv(), second.try_recv()), (Ok("a"), Ok("b")));
        assert!(waiters.join(0).0 < 2);
    }
}
