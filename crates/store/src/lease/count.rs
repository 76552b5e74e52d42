//! The numbers of a writer's transactions, by which one is found again whose end nobody knows.

/// A transaction of a writer: which it is, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The node, by its fencing number.
    pub incarnation: i64,
    /// The writer, among those of its node.
    pub number: i16,
    /// The transaction, among those of its writer.
    pub batch: i64,
}

impl Turn {
    /// Under which number this transaction's messages are marked as open: no other transaction of this node has it.
    #[must_use]
    pub const fn mark(&self) -> i64 {
        self.batch * 16 + self.number as i64
    }
}

/// Counts a writer's transactions.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    last: Turn,
}

impl Count {
    /// For this writer of a node.
    #[must_use]
    pub const fn new(number: i16) -> Self {
        let (incarnation, batch) = (0, 0);
        let last = Turn {
            incarnation,
            number,
            batch,
        };
        Self { last }
    }

    /// The next one, of this incarnation.
    pub const fn next(&mut self, incarnation: i64) -> Turn {
        if incarnation != self.last.incarnation {
            (self.last.incarnation, self.last.batch) = (incarnation, 0);
        }
        self.last.batch += 1;
        self.last
    }

    /// Which writer it is.
    #[must_use]
    pub const fn number(&self) -> i16 {
        self.last.number
    }

    /// Whose the last one was.
    #[must_use]
    pub const fn incarnation(&self) -> i64 {
        self.last.incarnation
    }
}

/// Whether a transaction was committed, by the number of its writer's last one; there is none if its node is gone, and then
/// whoever has taken over knows.
#[must_use]
pub fn was_committed(turn: &Turn, last: Option<i64>) -> bool {
    last == Some(turn.batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_counted_anew_by_each_incarnation() {
        let mut count = Count::new(2);
        assert_eq!([count.next(7).batch, count.next(7).batch], [1, 2]);
        let turn = count.next(9);
        assert_eq!((turn.batch, turn.mark(), count.incarnation()), (1, 18, 9));
        assert!(was_committed(&turn, Some(1)));
        assert!(!was_committed(&turn, Some(0)) && !was_committed(&turn, None));
    }
}
