//! Open marks: which messages have deliveries in this node's memory, and how many. Those that were accepted in one
//! transaction share a row, which goes when nothing of them is in memory any more.

use std::collections::HashMap;

use ringbolt_model::MessageId;

/// The marks of this incarnation, as its writers know them.
#[derive(Debug, Default)]
pub struct Marks {
    messages: HashMap<MessageId, Mark>,
    /// How many messages of each transaction are left.
    batches: HashMap<i64, usize>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    batch: i64,
    left: usize,
}

/// What a transaction settles of them.
#[derive(Debug, Default)]
pub struct Settled {
    by: HashMap<MessageId, usize>,
    /// The rows that go.
    pub batches: Vec<i64>,
}

impl Marks {
    /// A message was accepted in this transaction with so many deliveries in memory.
    pub fn open(&mut self, batch: i64, message: MessageId, left: usize) {
        self.messages.insert(message, Mark { batch, left });
        *self.batches.entry(batch).or_default() += 1;
    }

    /// Whether deliveries of a message are in this node's memory.
    pub fn knows(&self, message: MessageId) -> bool {
        self.messages.contains_key(&message)
    }

    /// Which rows go when so many deliveries of messages are settled. Nothing changes yet.
    pub fn would_settle(&self, by: HashMap<MessageId, usize>) -> Settled {
        let mut ended: HashMap<i64, usize> = HashMap::new();
        for (message, count) in &by {
            if let Some(mark) = self.messages.get(message)
                && mark.left <= *count
            {
                *ended.entry(mark.batch).or_default() += 1;
            }
        }
        let gone = |(batch, ended): &(i64, usize)| self.batches.get(batch) == Some(ended);
        let mut batches: Vec<i64> = ended
            .into_iter()
            .filter(gone)
            .map(|(batch, _)| batch)
            .collect();
        batches.sort_unstable();
        Settled { by, batches }
    }

    /// The transaction is on disk.
    pub fn settle(&mut self, settled: &Settled) {
        for (message, count) in &settled.by {
            let Some(mark) = self.messages.get_mut(message) else {
                continue;
            };
            mark.left = mark.left.saturating_sub(*count);
            if mark.left > 0 {
                continue;
            }
            let batch = mark.batch;
            self.messages.remove(message);
            if let Some(left) = self.batches.get_mut(&batch) {
                *left -= 1;
                if *left == 0 {
                    self.batches.remove(&batch);
                }
            }
        }
    }

    /// Others have all of it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_goes_with_the_last_delivery_of_its_messages() {
        let mut marks = Marks::default();
        let [one, two] = [1, 2].map(MessageId::from);
        marks.open(7, one, 3);
        marks.open(7, two, 1);
        let some = marks.would_settle(HashMap::from([(one, 2), (two, 1)]));
        assert!(some.batches.is_empty() && marks.knows(two));
        marks.settle(&some);
        assert!(marks.knows(one) && !marks.knows(two));
        let last = marks.would_settle(HashMap::from([(one, 1)]));
        assert_eq!(last.batches, [7]);
        assert!(marks.knows(one), "nothing has changed yet");
        marks.settle(&last);
        assert!(!marks.knows(one));
    }
}
