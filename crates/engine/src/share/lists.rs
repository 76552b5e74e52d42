//! The lanes of one standing that wait for slots, listed by their attempts in flight.

/// Lanes with as many attempts in flight, or more, are equals.
pub(super) const LEVELS: usize = 1024;
/// No lane.
pub(super) const NONE: u32 = u32::MAX;

/// The ends of the lists, one for each level.
#[derive(Debug)]
pub(super) struct Lists {
    ends: Vec<(u32, u32)>,
    occupied: [u64; LEVELS / 64],
}

impl Lists {
    pub(super) fn new() -> Self {
        Self {
            ends: vec![(NONE, NONE); LEVELS],
            occupied: [0; LEVELS / 64],
        }
    }

    /// The first lane of the lowest level that has one.
    pub(super) fn lowest(&self) -> Option<(u16, u32)> {
        let word = self.occupied.iter().position(|word| *word != 0)?;
        let level = word * 64 + self.occupied[word].trailing_zeros() as usize;
        Some((level as u16, self.ends[level].0))
    }

    /// The lane without attempts in flight that has waited for the shortest time.
    pub(super) fn latest(&self) -> Option<u32> {
        Some(self.ends[0].1).filter(|lane| *lane != NONE)
    }

    /// The lane without attempts in flight that has waited for the longest time.
    pub(super) fn longest_waiting(&self) -> Option<u32> {
        Some(self.ends[0].0).filter(|lane| *lane != NONE)
    }

    /// Puts a lane at the end of a level; returns the one before it.
    pub(super) fn append(&mut self, level: u16, lane: u32) -> u32 {
        let level = usize::from(level);
        self.occupied[level / 64] |= 1 << (level % 64);
        let (first, last) = self.ends[level];
        self.ends[level] = (if first == NONE { lane } else { first }, lane);
        last
    }

    /// Takes out the lane between these two.
    pub(super) fn unlink(&mut self, level: u16, before: u32, after: u32) {
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
