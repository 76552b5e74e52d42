//! Sharing: which lane gets the next slot. Max-min: the lane with the fewest attempts in flight goes
//! first, and among equals the one that has waited longest.
//!
//! Slots that hang do not come back before their time-out, and nobody can tell a new lane that will
//! answer from one that will hang. So lanes that are known to hang fill half of all slots at most, and
//! those that have not succeeded yet five eighths, together. The eighth beyond that is given out at a pace
//! at which it cannot run out, to newcomers, the latest first: whoever comes when thousands hang has a
//! slot within a beat. What has been tried before, and failed, has a beat only if no newcomer waits.
//!
//! Lanes that wait stand in doubly linked lists, one for each number of attempts in flight, so that a
//! start costs the same with ten lanes as with a hundred thousand.

use std::time::Duration;

use ringbolt_model::Timestamp;

/// Of eight slots, so many may be taken by lanes that are not trusted, when one that hangs is to start,
const BESIDE_HANGING: usize = 4;
/// one that has not succeeded yet,
const BESIDE_UNTESTED: usize = 5;
/// and one that has not succeeded yet and has nothing in flight. The rest is for trusted lanes.
const BESIDE_NEWCOMER: usize = 6;
/// Lanes with as many attempts in flight, or more, are equals.
const LEVELS: usize = 1024;
const NONE: u32 = u32::MAX;

/// The slots, and the lanes that wait for one.
#[derive(Debug)]
pub(crate) struct Share {
    total: usize,
    in_flight: usize,
    doubtful_in_flight: usize,
    newcomers: Newcomers,
    waits: Vec<Wait>,
    lists: [Lists; 4],
    ticket: u64,
}

/// What a lane is known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It answers promptly.
    Trusted = 0,
    /// Nothing: no attempt of it has ended yet.
    New = 1,
    /// It answers promptly, but has not succeeded.
    Failing = 2,
    /// Its attempts hang.
    Hanging = 3,
}

/// The pace at which the eighth that is kept for newcomers is given out.
#[derive(Debug)]
struct Newcomers {
    /// At this pace the first slot is back when the last is given out, whatever hangs.
    pace: Duration,
    /// From when the next may start.
    open_at: Option<Timestamp>,
    /// The lane that the last of these slots went to.
    last: u32,
    /// The lane whose turn it is, if it is one of these.
    called: u32,
    /// When a lane that waits for the pace can start.
    wake: Option<Timestamp>,
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
    /// So many slots, each of which is back after `longest` at the latest.
    pub(crate) fn new(total: usize, longest: Duration) -> Self {
        let kept = part(total, BESIDE_NEWCOMER) - part(total, BESIDE_UNTESTED);
        Self {
            total: total.max(1),
            in_flight: 0,
            doubtful_in_flight: 0,
            newcomers: Newcomers {
                pace: longest / u32::try_from(kept.max(1)).unwrap_or(u32::MAX),
                open_at: None,
                last: NONE,
                called: NONE,
                wake: None,
            },
            waits: Vec::new(),
            lists: std::array::from_fn(|_| Lists::new()),
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
    pub(crate) fn take_turn(&mut self, now: Timestamp) -> Option<u32> {
        self.newcomers.wake = None;
        if self.in_flight >= self.total {
            return None;
        }
        let newcomer = self.newcomer(now);
        let [trusted, new, failing, hanging] = self.lists.each_ref().map(Lists::lowest);
        let rank = |(level, lane): (u16, u32)| (level, self.waits[lane as usize].ticket, lane);
        let untested = new
            .into_iter()
            .chain(failing)
            .min_by_key(|place| rank(*place));
        // A lane that hangs lets one that may not hang pass: soon it is known.
        let doubtful = untested
            .filter(|_| self.fits_beside(BESIDE_UNTESTED))
            .into_iter()
            .chain(hanging.filter(|_| self.fits_beside(BESIDE_HANGING)))
            .min_by_key(|(level, _)| *level);
        let (_, _, lane) = trusted
            .into_iter()
            .chain(doubtful)
            .chain(newcomer)
            .map(rank)
            .min()?;
        let is_newcomer = newcomer.is_some_and(|(_, called)| called == lane);
        self.newcomers.called = if is_newcomer { lane } else { NONE };
        self.delist(lane);
        Some(lane)
    }

    /// The newcomer that may have one of the slots kept for them; notes when, if not now.
    fn newcomer(&mut self, now: Timestamp) -> Option<(u16, u32)> {
        if self.fits_beside(BESIDE_UNTESTED) || !self.fits_beside(BESIDE_NEWCOMER) {
            return None;
        }
        let new = self.lists[Standing::New as usize].latest();
        let failing = || self.lists[Standing::Failing as usize].longest_waiting();
        let next = new.or_else(failing)?;
        self.newcomers.wake = self.newcomers.open_at.filter(|at| *at > now);
        self.newcomers.wake.is_none().then_some((0, next))
    }

    /// Whether less than so many eighths are taken by lanes that are not trusted.
    fn fits_beside(&self, eighths: usize) -> bool {
        self.doubtful_in_flight < part(self.total, eighths).max(1)
    }

    /// When a lane that waits may have its turn by time alone, as of the last turn.
    pub(crate) const fn next_wake(&self) -> Option<Timestamp> {
        self.newcomers.wake
    }

    /// An attempt of a lane has started.
    pub(crate) fn started(&mut self, lane: u32, trusted: bool, now: Timestamp) {
        self.in_flight += 1;
        self.doubtful_in_flight += usize::from(!trusted);
        let newcomers = &mut self.newcomers;
        if newcomers.called == lane {
            newcomers.called = NONE;
            newcomers.last = lane;
            newcomers.open_at = Some(now + newcomers.pace);
        }
    }

    /// A lane has answered promptly: if it had the last slot kept for newcomers, the next need not
    /// wait.
    pub(crate) const fn answered(&mut self, lane: u32) {
        if self.newcomers.last == lane {
            self.newcomers.last = NONE;
            self.newcomers.open_at = None;
        }
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

    /// The lane without attempts in flight that has waited for the shortest time.
    fn latest(&self) -> Option<u32> {
        Some(self.ends[0].1).filter(|lane| *lane != NONE)
    }

    /// The lane without attempts in flight that has waited for the longest time.
    fn longest_waiting(&self) -> Option<u32> {
        Some(self.ends[0].0).filter(|lane| *lane != NONE)
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

/// So many eighths of all slots.
const fn part(total: usize, eighths: usize) -> usize {
    total * eighths / 8
}

#[cfg(test)]
mod tests {
    use super::Standing::{Failing, Hanging, New, Trusted};
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1000);
    const LONGEST: Duration = Duration::from_secs(16);

    fn turns(share: &mut Share, n: usize) -> Vec<u32> {
        (0..n).map_while(|_| share.take_turn(NOW)).collect()
    }

    /// Lets as many start as may.
    fn fill(share: &mut Share, now: Timestamp) -> Vec<u32> {
        let mut started = Vec::new();
        while let Some(lane) = share.take_turn(now) {
            share.started(lane, false, now);
            started.push(lane);
        }
        started
    }

    #[test]
    fn everybody_gets_one_before_anybody_gets_a_second() {
        let mut share = Share::new(100, LONGEST);
        for lane in 0..5 {
            share.enlist(lane, if lane % 2 == 0 { Trusted } else { New }, 0);
        }
        share.enlist(5, Trusted, 1);
        share.enlist(6, Trusted, 0);
        assert_eq!(turns(&mut share, 9), [0, 1, 2, 3, 4, 6, 5]);
    }

    #[test]
    fn a_lane_keeps_its_place_until_something_changes() {
        let mut share = Share::new(100, LONGEST);
        (1..=3).for_each(|lane| share.enlist(lane, Trusted, 0));
        share.enlist(1, Trusted, 0);
        share.delist(2);
        share.enlist(2, Trusted, 0);
        assert_eq!(turns(&mut share, 9), [1, 3, 2]);
    }

    #[test]
    fn a_lane_that_hangs_lets_an_untested_one_pass() {
        let mut share = Share::new(100, LONGEST);
        share.enlist(1, Hanging, 0);
        share.enlist(2, New, 0);
        share.enlist(3, New, 1);
        assert_eq!(turns(&mut share, 9), [2, 1, 3]);
    }

    #[test]
    fn lanes_that_hang_have_half_and_untested_ones_an_eighth_more() {
        let mut share = Share::new(64, LONGEST);
        (0..100).for_each(|lane| share.enlist(lane, Hanging, 0));
        assert_eq!(fill(&mut share, NOW).len(), 32);
        (100..200).for_each(|lane| share.enlist(lane, New, 1));
        assert_eq!(fill(&mut share, NOW), Vec::from_iter(100..108));
    }

    #[test]
    fn newcomers_have_an_eighth_at_a_pace_the_latest_first() {
        let mut share = Share::new(64, LONGEST);
        (0..100).for_each(|lane| share.enlist(lane, New, 0));
        // Five eighths, the longest waiting first, and one beyond them.
        let mut expected = Vec::from_iter(0..40);
        expected.push(99);
        assert_eq!(fill(&mut share, NOW), expected);
        let beat = NOW + LONGEST / 8;
        assert_eq!(share.next_wake(), Some(beat));
        share.enlist(200, New, 0);
        assert_eq!(fill(&mut share, NOW), [], "not before the next beat");
        assert_eq!(fill(&mut share, beat), [200]);
        // Within the longest time that an attempt takes the eighth does not run out.
        let beats = (2..8).map(|n| NOW + LONGEST / 8 * n);
        assert!(beats.clone().all(|at| fill(&mut share, at).len() == 1));
        assert_eq!(share.doubtful_in_flight, 48);
    }

    #[test]
    fn one_that_failed_has_a_beat_only_if_no_newcomer_waits() {
        let mut share = Share::new(64, LONGEST);
        (0..41).for_each(|lane| share.enlist(lane, New, 0));
        assert_eq!(fill(&mut share, NOW).len(), 41);
        share.enlist(50, New, 0);
        (60..62).for_each(|lane| share.enlist(lane, Failing, 0));
        let at = |beats| NOW + LONGEST / 8 * beats;
        assert_eq!(fill(&mut share, at(1)), [50]);
        assert_eq!(fill(&mut share, at(2)), [60]);
        share.enlist(51, New, 0);
        assert_eq!(fill(&mut share, at(3)), [51]);
        assert_eq!(fill(&mut share, at(4)), [61]);
    }

    #[test]
    fn those_that_failed_and_those_that_are_new_take_turns_otherwise() {
        let mut share = Share::new(100, LONGEST);
        share.enlist(1, Failing, 0);
        share.enlist(2, New, 0);
        share.enlist(3, Failing, 0);
        share.enlist(4, New, 1);
        share.enlist(5, Failing, 1);
        assert_eq!(turns(&mut share, 9), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_newcomer_that_answers_lets_the_next_one_in() {
        let mut share = Share::new(64, LONGEST);
        (0..100).for_each(|lane| share.enlist(lane, New, 0));
        assert_eq!(fill(&mut share, NOW).last(), Some(&99));
        (0..2).for_each(|_| share.ended(false));
        share.answered(5);
        assert_eq!(fill(&mut share, NOW), [40], "instead of one of the many");
        share.ended(false);
        share.answered(99);
        assert_eq!(fill(&mut share, NOW), [41, 98]);
    }

    #[test]
    fn trusted_lanes_have_all_that_is_left() {
        let mut share = Share::new(8, LONGEST);
        (0..10).for_each(|lane| share.enlist(lane, Hanging, 0));
        assert_eq!(fill(&mut share, NOW).len(), 4);
        (10..20).for_each(|lane| share.enlist(lane, Trusted, 0));
        for lane in 10..14 {
            assert_eq!(share.take_turn(NOW), Some(lane));
            share.started(lane, true, NOW);
        }
        assert_eq!(share.take_turn(NOW), None);
        share.ended(true);
        assert_eq!(share.take_turn(NOW), Some(14));
    }
}
