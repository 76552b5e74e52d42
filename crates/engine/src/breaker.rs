//! The breaker: stops a lane that fails again and again, and finds out when it is well.

use std::time::Duration;

use ringbolt_model::Timestamp;

use crate::settings::BreakerSettings;

/// Closed: tries flow. Open: one delivery probes now and then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breaker {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug, Clone)]
struct Open {
    next_probe: Timestamp,
    interval: Duration,
    probing: bool,
}

impl Breaker {
    pub(crate) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether it has no failure to remember.
    pub(crate) const fn is_clean(&self) -> bool {
        self.failures == 0 && self.open.is_none()
    }

    /// When the next probe may start; `None` while closed, and while one is under way.
    pub(crate) fn next_probe(&self) -> Option<Timestamp> {
        self.open
            .as_ref()
            .filter(|open| !open.probing)
            .map(|open| open.next_probe)
    }

    /// A probe starts.
    pub(crate) fn probe(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
    }

    /// The probe said nothing about the endpoint.
    pub(crate) fn probe_was_void(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }

    /// Somebody wants to know now.
    pub(crate) fn probe_at(&mut self, now: Timestamp) {
        if let Some(open) = &mut self.open {
            open.next_probe = open.next_probe.min(now);
        }
    }

    /// Closes and forgets; returns whether it was open.
    pub(crate) fn reset(&mut self) -> bool {
        std::mem::take(self).is_open()
    }

    /// Returns whether this failure has opened it.
    pub(crate) fn failed(
        &mut self,
        now: Timestamp,
        probe: bool,
        settings: &BreakerSettings,
    ) -> bool {
        self.failures = self.failures.saturating_add(1);
        match &mut self.open {
            Some(open) if probe => {
                open.probing = false;
                open.interval = open.interval.saturating_mul(2).min(settings.longest_probe);
                open.next_probe = now + open.interval;
                false
            }
            // It was in flight when the breaker opened: no news.
            Some(_) => false,
            None if settings.failures > 0 && self.failures >= settings.failures => {
                let interval = settings.first_probe;
                self.open = Some(Open {
                    next_probe: now + interval,
                    interval,
                    probing: false,
                });
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_ten_failures_in_a_row() {
        let (mut breaker, settings) = (Breaker::default(), BreakerSettings::default());
        let now = Timestamp::from_seconds(0);
        for _ in 0..9 {
            assert!(!breaker.failed(now, false, &settings));
        }
        assert!(!breaker.reset(), "it was closed");
        for _ in 0..9 {
            assert!(!breaker.failed(now, false, &settings));
        }
        assert!(breaker.failed(now, false, &settings));
        assert_eq!(breaker.next_probe(), Some(Timestamp::from_seconds(5)));
    }

    #[test]
    fn probes_come_at_growing_intervals() {
        let (mut breaker, settings) = (Breaker::default(), BreakerSettings::default());
        let mut now = Timestamp::from_seconds(0);
        for _ in 0..10 {
            breaker.failed(now, false, &settings);
        }
        let mut waits = Vec::new();
        for _ in 0..9 {
            let next = breaker.next_probe().unwrap();
            waits.push(next.since(now).as_secs());
            now = next;
            breaker.probe();
            assert_eq!(breaker.next_probe(), None);
            breaker.failed(now, true, &settings);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert!(breaker.reset(), "it was open");
        assert!(breaker.is_clean());
    }
}
