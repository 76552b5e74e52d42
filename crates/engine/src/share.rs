//! Sharing: which lane gets the next slot. Max-min: the lane with the fewest attempts in flight goes
//! first, and among equals the one that has waited longest.
//!
//! Lanes that wait stand in doubly linked lists, one for each number of attempts in flight, so that a
//! start costs the same with ten lanes as with a hundred thousand.

/// Lanes with as many attempts in flight, or more, are equals.
const LEVELS: usize = 1024;
const NONE: u32 = u32::MAX;

/// The slots, and the lanes that wait for one.
#[derive(Debug)]
pub(crate) struct Share {
    total: usize,
    in_flight: usize,
    doubtful_in_flight: usize,
    waits: Vec<Wait>,
    lists: [Lists; 3],
    ticket: u64,
}

/// What a lane is known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It answers promptly.
    Trusted = 0,
    /// Nothing: it has not answered yet, or has not succeeded.
    Unknown = 1,
    /// Its attempts hang.
    Hanging = 2,
}

/// A lane's place among those that wait.
#[derive(Debug, Clone, Copy)]
struct Wait {
    /// Its standing and level; `None` if it does not wait.
    list: Option<(Standing, u16)>,
    ticket: u64,
    before: u32,
    after: u32,
}

#[derive(Debug)]
struct Lists {
    ends: Vec<(u32, u32)>,
    occupied: [u64; LEVELS / 64],
}

const NOT_WAITING: Wait = Wait {
    list: None,
    ticket: 0,
    before: NONE,
    after: NONE,
};

impl Share {
    pub(crate) fn new(total: usize) -> Self {
        Self {
            total: total.max(1),
            in_flight: 0,
            doubtful_in_flight: 0,
            waits: Vec::new(),
            lists: [Lists::new(), Lists::new(), Lists::new()],
            ticket: 0,
        }
    }

    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether most slots are free, so that nobody need be frugal.
    pub(crate) const fn is_plenty(&self) -> bool {
        self.in_flight * 2 < self.total
    }

    /// A lane waits for a slot. One that waits already keeps its place if nothing about it changed.
    pub(crate) fn enlist(&mut self, lane: u32, standing: Standing, in_flight: usize) {
        let list = (standing, in_flight.min(LEVELS - 1) as u16);
        if self.waits.len() <= lane as usize {
            self.waits.resize(lane as usize + 1, NOT_WAITING);
        }
        if self.waits[lane as usize].list == Some(list) {
            return;
        }
        self.delist(lane);
        self.ticket += 1;
        let last = self.lists[standing as usize].append(list.1, lane);
        if last != NONE {
            self.waits[last as usize].after = lane;
        }
        let ticket = self.ticket;
        self.waits[lane as usize] = Wait {
            list: Some(list),
            ticket,
            before: last,
            after: NONE,
        };
    }

    /// A lane no longer waits for a slot.
    pub(crate) fn delist(&mut self, lane: u32) {
        let Some(wait) = self.waits.get_mut(lane as usize) else {
            return;
        };
        let Wait {
            list: Some((standing, level)),
            before,
            after,
            ..
        } = std::mem::replace(wait, NOT_WAITING)
        else {
            return;
        };
        if before != NONE {
            self.waits[before as usize].after = after;
        }
        if after != NONE {
            self.waits[after as usize].before = before;
        }
        self.lists[standing as usize].unlink(level, before, after);
    }

    /// Takes the lane whose turn it is, if there is a slot for it. It no longer waits then.
    pub(crate) fn take_turn(&mut self) -> Option<u32> {
        if self.in_flight >= self.total {
            return None;
        }
        let [trusted, unknown, hanging] = &self.lists;
        // A lane that hangs lets one of which nothing is known pass: that ends its being unknown.
        let doubtful = unknown
            .lowest()
            .into_iter()
            .chain(hanging.lowest())
            .min_by_key(|(l, _)| *l);
        let doubtful = doubtful.filter(|_| self.doubtful_may_start());
        let rank = |(level, lane): (u16, u32)| (level, self.waits[lane as usize].ticket, lane);
        let (_, _, lane) = trusted
            .lowest()
            .into_iter()
            .chain(doubtful)
            .map(rank)
            .min()?;
        self.delist(lane);
        Some(lane)
    }

    fn doubtful_may_start(&self) -> bool {
        self.doubtful_in_flight < (self.total * 3 / 4).max(1)
    }

    /// An attempt of a lane has started.
    pub(crate) const fn started(&mut self, trusted: bool) {
        self.in_flight += 1;
        self.doubtful_in_flight += !trusted as usize;
    }

    /// An attempt of a lane has ended.
    pub(crate) const fn ended(&mut self, trusted: bool) {
        self.in_flight -= 1;
        self.doubtful_in_flight -= !trusted as usize;
    }

    /// A lane with so many attempts in flight is now trusted, or no longer is.
    pub(crate) const fn judged_anew(&mut self, trusted: bool, in_flight: usize) {
        if trusted {
            self.doubtful_in_flight -= in_flight;
        } else {
            self.doubtful_in_flight += in_flight;
        }
    }
}

impl Lists {
    fn new() -> Self {
        Self {
            ends: vec![(NONE, NONE); LEVELS],
            occupied: [0; LEVELS / 64],
        }
    }

    /// The first lane of the lowest level that has one.
    fn lowest(&self) -> Option<(u16, u32)> {
        let word = self.occupied.iter().position(|word| *word != 0)?;
        let level = word * 64 + self.occupied[word].trailing_zeros() as usize;
        Some((level as u16, self.ends[level].0))
    }

    /// Puts a lane at the end of a level; returns the one before it.
    fn append(&mut self, level: u16, lane: u32) -> u32 {
        let level = usize::from(level);
        self.occupied[level / 64] |= 1 << (level % 64);
        let (first, last) = self.ends[level];
        self.ends[level] = (if first == NONE { lane } else { first }, lane);
        last
    }

    /// Takes out the lane between these two.
    fn unlink(&mut self, level: u16, before: u32, after: u32) {
        let level = usize::from(level);
        let ends = &mut self.ends[level];
        if before == NONE {
            ends.0 = after;
        }
        if after == NONE {
            ends.1 = before;
        }
        if ends.0 == NONE {
            self.occupied[level / 64] &= !(1 << (level % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Hanging, Trusted, Unknown};
    use super::*;

    fn turns(share: &mut Share, n: usize) -> Vec<u32> {
        (0..n).map_while(|_| share.take_turn()).collect()
    }

    #[test]
    fn everybody_gets_one_before_anybody_gets_a_second() {
        let mut share = Share::new(100);
        for lane in 0..5 {
            share.enlist(lane, if lane % 2 == 0 { Trusted } else { Unknown }, 0);
        }
        share.enlist(5, Trusted, 1);
        share.enlist(6, Trusted, 0);
        assert_eq!(turns(&mut share, 9), [0, 1, 2, 3, 4, 6, 5]);
    }

    #[test]
    fn a_lane_keeps_its_place_until_something_changes() {
        let mut share = Share::new(100);
        (1..=3).for_each(|lane| share.enlist(lane, Trusted, 0));
        share.enlist(1, Trusted, 0);
        share.delist(2);
        share.enlist(2, Trusted, 0);
        assert_eq!(turns(&mut share, 9), [1, 3, 2]);
    }

    #[test]
    fn a_lane_that_hangs_lets_an_unknown_one_pass() {
        let mut share = Share::new(100);
        share.enlist(1, Hanging, 0);
        share.enlist(2, Unknown, 0);
        share.enlist(3, Unknown, 1);
        assert_eq!(turns(&mut share, 9), [2, 1, 3]);
    }

    #[test]
    fn the_last_quarter_is_for_trusted_lanes() {
        let mut share = Share::new(8);
        for lane in 0..20 {
            share.enlist(lane, if lane >= 10 { Trusted } else { Hanging }, 0);
        }
        let mut started = [0, 0];
        while let Some(lane) = share.take_turn() {
            started[usize::from(lane >= 10)] += 1;
            share.started(lane >= 10);
            if lane < 10 {
                share.enlist(lane, Hanging, 0);
            }
        }
        assert_eq!(started, [6, 2]);
        share.ended(true);
        assert_eq!(share.take_turn(), Some(12));
    }
}
