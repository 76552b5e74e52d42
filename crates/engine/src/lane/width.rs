//! A lane's width: how many attempts it may have in flight.

use std::num::NonZeroU16;
use std::time::Duration;

use crate::settings::Settings;

/// Grows while the endpoint answers promptly, shrinks towards one while attempts hang.
#[derive(Debug, Clone)]
pub(crate) struct Width {
    current: usize,
    base: usize,
    most: usize,
}

impl Width {
    /// What the endpoint set is the most; without it the lane begins with the default and may grow.
    pub(crate) fn new(set: Option<NonZeroU16>, settings: &Settings) -> Self {
        let (base, most) = match set {
            Some(set) => (set.get(), set.get()),
            None => (
                settings.concurrency,
                settings.concurrency_max.max(settings.concurrency),
            ),
        };
        let base = usize::from(base.max(1));
        Self {
            current: base,
            base,
            most: usize::from(most).max(base),
        }
    }

    /// The endpoint has set another number; what was learnt under the old one is forgotten.
    pub(crate) fn set(&mut self, set: Option<NonZeroU16>, settings: &Settings) {
        let new = Self::new(set, settings);
        if (new.base, new.most) != (self.base, self.most) {
            *self = new;
        }
    }

    /// How many attempts may be in flight. While most slots are free, a slow lane has what it began
    /// with: it delays nobody.
    pub(crate) fn now(&self, plenty: bool) -> usize {
        if plenty {
            self.current.max(self.base)
        } else {
            self.current
        }
    }

    pub(crate) const fn can_shrink(&self) -> bool {
        self.current > 1
    }

    /// Attempts hang.
    pub(crate) fn shrink(&mut self) {
        self.current = (self.current / 2).max(1);
    }

    /// An attempt has succeeded in less than `hang_after`.
    pub(crate) fn grow(&mut self, took: Duration, hang_after: Duration) {
        let towards = if took * 4 <= hang_after {
            self.most
        } else {
            self.base
        };
        if self.current < towards {
            self.current += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_prompt_lane_grows_to_32_and_a_hanging_one_shrinks_to_1() {
        let mut width = Width::new(None, &Settings::default());
        assert_eq!(width.now(false), 10);
        (0..100).for_each(|_| width.grow(Duration::from_millis(5), SECOND));
        assert_eq!(width.now(false), 32);
        (0..10).for_each(|_| width.shrink());
        assert_eq!((width.now(false), width.now(true)), (1, 10));
        (0..100).for_each(|_| width.grow(Duration::from_millis(600), SECOND));
        assert_eq!(width.now(false), 10);
    }

    #[test]
    fn what_the_endpoint_set_is_never_exceeded() {
        let mut width = Width::new(NonZeroU16::new(3), &Settings::default());
        (0..100).for_each(|_| width.grow(Duration::ZERO, SECOND));
        assert_eq!(width.now(true), 3);
    }
}
