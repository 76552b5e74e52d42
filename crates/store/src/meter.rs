//! What the writer has done since start, counted by size and time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::Distribution;

/// What the writer has done since start.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Writes of each transaction that was committed: up to 4,096.
    pub(crate) writes: Histogram,
    /// Microseconds that each took: up to 4 s.
    pub(crate) micros: Histogram,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            writes: Histogram::new(1, 13),
            micros: Histogram::new(125, 16),
        }
    }
}

impl Meter {
    pub(crate) fn committed(&self, writes: usize, took: Duration) {
        self.writes.observe(writes as u64);
        self.micros
            .observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}

/// Counts values in buckets, each twice as wide as the one before. To observe one costs two additions.
#[derive(Debug)]
pub(crate) struct Histogram {
    first: u64,
    /// The last one is for what is beyond every bound.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// With this first bound, and so many in all.
    fn new(first: u64, bounds: usize) -> Self {
        Self {
            first,
            counts: (0..=bounds).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    fn observe(&self, value: u64) {
        let doublings = value
            .div_ceil(self.first)
            .checked_next_power_of_two()
            .map_or(usize::MAX, |wide| wide.trailing_zeros() as usize);
        self.counts[doublings.min(self.counts.len() - 1)].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// What was observed.
    pub(crate) fn read(&self) -> Distribution {
        let count = |place: usize| self.counts[place].load(Relaxed);
        let bounds = self.counts.len() - 1;
        Distribution {
            buckets: (0..bounds)
                .map(|place| (self.first << place, count(place)))
                .collect(),
            beyond: count(bounds),
            sum: self.sum.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(125, 3);
        for value in [0, 1, 125, 126, 250, 251, 500, 501, u64::MAX >> 1] {
            histogram.observe(value);
        }
        let read = histogram.read();
        assert_eq!(read.buckets, [(125, 3), (250, 2), (500, 2)]);
        assert_eq!((read.beyond, read.count()), (2, 9));
        assert_eq!(
            read.sum,
            1 + 125 + 126 + 250 + 251 + 500 + 501 + (u64::MAX >> 1)
        );
    }
}
