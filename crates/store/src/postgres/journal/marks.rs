//! Open marks: which messages have deliveries in this node's memory, and how many.

use std::collections::HashMap;

use ringbolt_model::{AppId, MessageId};

use crate::postgres::column::to_column;

/// The marks of this incarnation, as its writers know them.
#[derive(Debug, Default)]
pub(super) struct Marks(HashMap<MessageId, Mark>);

#[derive(Debug, Clone, Copy)]
struct Mark {
    app: AppId,
    left: usize,
}

/// What a transaction settles of them.
#[derive(Debug, Default)]
pub(super) struct Settled {
    by: HashMap<MessageId, usize>,
    /// The marks that go: of which application, which message.
    pub(super) apps: Vec<i64>,
    pub(super) messages: Vec<i64>,
}

impl Marks {
    /// A message was accepted with so many deliveries in memory.
    pub(super) fn open(&mut self, app: AppId, message: MessageId, left: usize) {
        self.0.insert(message, Mark { app, left });
    }

    /// Whether deliveries of a message are in this node's memory.
    pub(super) fn knows(&self, message: MessageId) -> bool {
        self.0.contains_key(&message)
    }

    /// Which marks go when so many deliveries of messages are settled. Nothing changes yet.
    pub(super) fn would_settle(&self, by: HashMap<MessageId, usize>) -> Settled {
        let mut settled = Settled::default();
        for (message, count) in &by {
            if let Some(mark) = self.0.get(message)
                && mark.left <= *count
            {
                settled.apps.push(to_column(mark.app.raw()));
                settled.messages.push(to_column(message.raw()));
            }
        }
        settled.by = by;
        settled
    }

    /// The transaction is on disk.
    pub(super) fn settle(&mut self, settled: &Settled) {
        for (message, count) in &settled.by {
            if let Some(mark) = self.0.get_mut(message) {
                mark.left = mark.left.saturating_sub(*count);
                if mark.left == 0 {
                    self.0.remove(message);
                }
            }
        }
    }

    /// Others have all of it.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_goes_with_the_last_delivery_of_its_message() {
        let mut marks = Marks::default();
        let (app, message) = (AppId::from(1), MessageId::from(2));
        marks.open(app, message, 3);
        let some = marks.would_settle(HashMap::from([(message, 2)]));
        assert!(some.messages.is_empty() && marks.knows(message));
        marks.settle(&some);
        let last = marks.would_settle(HashMap::from([(message, 1)]));
        assert_eq!(
            (last.apps.as_slice(), last.messages.as_slice()),
            (&[1][..], &[2][..])
        );
        assert!(marks.knows(message), "nothing has changed yet");
        marks.settle(&last);
        assert!(!marks.knows(message));
    }
}
