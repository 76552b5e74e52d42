//! Numbers from a seed: the same for the same seed, on every machine (splitmix64).

use std::time::Duration;

/// Draws numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another source, which does not depend on how much is drawn from this one later.
    pub(super) const fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(super) const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub(super) const fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// A place in a list that is not empty.
    pub(super) fn index(&mut self, len: usize) -> usize {
        (self.next() % len as u64) as usize
    }

    /// One of a list that is not empty.
    pub(super) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.index(list.len())]
    }

    /// A span between the two; short ones are as likely as long ones, whatever the scale: each
    /// doubling is as likely as every other.
    pub(super) fn span(&mut self, low: Duration, high: Duration) -> Duration {
        let (low, high) = (micros(low).max(1), micros(high).max(1));
        let doublings = u64::from((high / low).max(1).ilog2()) + 1;
        let from = low << self.between(0, doublings - 1);
        Duration::from_micros(self.between(from, from * 2).min(high))
    }

    /// A span between the two; each is as likely as every other.
    pub(super) fn evenly(&mut self, low: Duration, high: Duration) -> Duration {
        Duration::from_micros(self.between(micros(low), micros(high)))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX / 4)
}
