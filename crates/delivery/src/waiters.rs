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
    /// A ticket, and where its answer will arrive.
    pub(crate) fn join(&self) -> (u64, oneshot::Receiver<T>) {
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
        (ticket as u64, receiver)
    }

    /// Answers a ticket; the one who waited may have gone.
    pub(crate) fn answer(&self, ticket: u64, answer: T) {
        let mut slots = self.0.lock();
        let ticket = ticket as usize;
        if let Some(sender) = slots.slots.get_mut(ticket).and_then(Option::take) {
            slots.free.push(ticket);
            drop(slots);
            let _gone = sender.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ticket_gets_its_own_answer_and_is_used_again() {
        let waiters = Waiters::default();
        let (a, mut first) = waiters.join();
        let (b, mut second) = waiters.join();
        waiters.answer(b, "b");
        waiters.answer(a, "a");
        assert_eq!((first.try_recv(), second.try_recv()), (Ok("a"), Ok("b")));
        assert!(waiters.join().0 < 2);
    }
}
