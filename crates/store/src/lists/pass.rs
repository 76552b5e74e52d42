//! Walks through a table that has no index for what is sought: they begin again at intervals.

use std::time::Duration;

use ringbolt_model::Timestamp;

/// A walk: where it is, or when the next one begins.
#[derive(Debug, Clone)]
pub(crate) enum Pass<C> {
    /// It is to go on beyond this.
    At(C),
    /// It has ended at this moment.
    Ended(Timestamp),
}

impl<C: Default> Default for Pass<C> {
    fn default() -> Self {
        Self::At(C::default())
    }
}

impl<C: Default + Clone> Pass<C> {
    /// Where to go on, if it is time to. A clock that went back does not put a walk off.
    pub(crate) fn resume(&mut self, now: Timestamp, every: Duration) -> Option<C> {
        if let Self::Ended(at) = self
            && (now >= *at + every || now < *at)
        {
            *self = Self::default();
        }
        match self {
            Self::At(place) => Some(place.clone()),
            Self::Ended(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_walk_begins_again_after_its_interval_or_when_the_clock_went_back() {
        let at = Timestamp::from_seconds;
        let mut pass = Pass::At(5);
        assert_eq!(pass.resume(at(10_000), HOUR), Some(5));
        pass = Pass::Ended(at(10_000));
        assert_eq!(pass.resume(at(10_001), HOUR), None);
        assert_eq!(pass.resume(at(13_600), HOUR), Some(0));
        pass = Pass::Ended(at(10_000));
        assert_eq!(pass.resume(at(9_000), HOUR), Some(0));
    }
}
