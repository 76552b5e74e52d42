//! The walk through what a node has left behind: first what was in its memory, then rows of each lane in turn.

/// How many marks one transaction takes; each is of a transaction in which messages were accepted.
pub const MARKS_AT_ONCE: i64 = 8;

/// Of how many lanes one transaction takes rows, and how many of each: at first a few of every lane, so that all begin; then more.
const FIRST: (i64, i64) = (200, 5);
const THEN: (i64, i64) = (20, 50);

/// What the next transaction takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Marks behind this one, [`MARKS_AT_ONCE`] at most.
    Marks {
        /// The last that was taken.
        after: i64,
    },
    /// Rows of lanes behind this one.
    Rows {
        /// The last lane of which rows were taken.
        after: i64,
        /// Of how many lanes.
        lanes: i64,
        /// How many of each.
        each: i64,
    },
}

/// Where the walk is.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    mark: i64,
    marks_done: bool,
    lane: i64,
    /// Whether every lane has begun.
    begun: bool,
    /// How many rows this round through the lanes has brought.
    brought: usize,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            mark: i64::MIN,
            marks_done: false,
            lane: i64::MIN,
            begun: false,
            brought: 0,
        }
    }
}

impl Walk {
    /// Whether what was in the node's memory has been taken.
    #[must_use]
    pub const fn marks_are_done(&self) -> bool {
        self.marks_done
    }

    /// What comes next.
    #[must_use]
    pub const fn next(&self) -> Page {
        if !self.marks_done {
            return Page::Marks { after: self.mark };
        }
        let (lanes, each) = if self.begun { THEN } else { FIRST };
        let after = self.lane;
        Page::Rows { after, lanes, each }
    }

    /// A page of marks was taken: so many, the last of them this one.
    pub fn took_marks(&mut self, marks: i64, last: Option<i64>) {
        if marks < MARKS_AT_ONCE {
            self.marks_done = true;
        } else {
            self.mark = last.unwrap_or(self.mark);
        }
    }

    /// A page of rows was taken, of these lanes; says whether there may be more. At the end of a round that brought any,
    /// another begins.
    pub fn took_rows(&mut self, lanes: usize, last: Option<i64>, rows: usize) -> bool {
        let (wanted, _) = if self.begun { THEN } else { FIRST };
        self.lane = last.unwrap_or(self.lane);
        self.brought += rows;
        let at_the_end = lanes < usize::try_from(wanted).unwrap_or(0);
        let more = !at_the_end || self.brought > 0;
        if at_the_end {
            (self.lane, self.begun, self.brought) = (i64::MIN, true, 0);
        }
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_ends_with_a_round_that_brought_nothing() {
        let mut walk = Walk::default();
        let after = i64::MIN;
        assert_eq!(walk.next(), Page::Marks { after });
        walk.took_marks(MARKS_AT_ONCE, Some(9));
        assert_eq!(walk.next(), Page::Marks { after: 9 });
        walk.took_marks(0, None);
        let (lanes, each) = FIRST;
        assert_eq!(walk.next(), Page::Rows { after, lanes, each });
        assert!(walk.took_rows(200, Some(4), 0), "there may be more lanes");
        assert!(walk.took_rows(3, Some(7), 9), "they may have more rows");
        let (lanes, each) = THEN;
        assert_eq!(walk.next(), Page::Rows { after, lanes, each });
        assert!(!walk.took_rows(3, Some(7), 0));
    }
}
