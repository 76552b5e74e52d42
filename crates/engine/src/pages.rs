//! Which lanes may read a page: a few at once, trusted ones and others in turn.

use std::collections::VecDeque;

/// The lines of lanes that want a page.
#[derive(Debug)]
pub(crate) struct Pages {
    lines: [VecDeque<u32>; 2],
    turn: usize,
    being_read: usize,
    at_once: usize,
}

impl Pages {
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            lines: Default::default(),
            turn: 0,
            being_read: 0,
            at_once: at_once.max(1),
        }
    }

    /// A lane wants a page. (Those that have lost interest are found out when it is their turn.)
    pub(crate) fn stand_in_line(&mut self, lane: u32, trusted: bool) {
        self.lines[usize::from(!trusted)].push_back(lane);
    }

    /// Whether another page may be read now.
    pub(crate) const fn may_read(&self) -> bool {
        self.being_read < self.at_once
    }

    /// The line whose turn it is. The other has the next.
    pub(crate) const fn next_line(&mut self) -> usize {
        self.turn = 1 - self.turn;
        self.turn
    }

    /// The first of a line.
    pub(crate) fn first(&self, line: usize) -> Option<u32> {
        self.lines[line].front().copied()
    }

    /// The first of a line leaves it.
    pub(crate) fn leave(&mut self, line: usize) {
        self.lines[line].pop_front();
    }

    pub(crate) const fn read(&mut self) {
        self.being_read += 1;
    }

    pub(crate) const fn ended(&mut self) {
        self.being_read -= 1;
    }
}
