//! Health: how long an endpoint has been failing, when to warn, and when to disable it.

use std::time::Duration;

use ringbolt_model::endpoint::{Failing, WARNINGS};
use ringbolt_model::{MessageId, Timestamp};
use smallvec::SmallVec;

use crate::settings::HealthSettings;

/// A row of failures is persisted no more often than this.
const PERSIST_EVERY: Duration = Duration::from_secs(60);

/// The row of failures that an endpoint is in, if any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    failing: Option<Failing>,
    /// The messages that were counted.
    counted: SmallVec<[MessageId; 3]>,
    persisted: Timestamp,
}

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing that was not known.
    Nothing,
    /// Persist it.
    Persist,
    /// Persist it and warn.
    Warn(u8),
    /// Enough.
    Disable,
}

impl Health {
    /// As it was persisted.
    pub(crate) fn new(failing: Option<Failing>) -> Self {
        Self {
            failing,
            ..Self::default()
        }
    }

    pub(crate) const fn failing(&self) -> Option<Failing> {
        self.failing
    }

    /// Forgets the row of failures; returns whether there was one.
    pub(crate) fn clear(&mut self) -> bool {
        self.counted.clear();
        self.failing.take().is_some()
    }

    pub(crate) fn failed(
        &mut self,
        now: Timestamp,
        message: MessageId,
        settings: &HealthSettings,
    ) -> Finding {
        let first = self.failing.is_none();
        let start = Failing {
            since: now,
            last: now,
            messages: 0,
            warned: 0,
            warned_at: Default::default(),
            disables_at: None,
        };
        let failing = self.failing.get_or_insert(start);
        failing.last = now;
        let disables = !settings.disable_after.is_zero();
        failing.disables_at = disables.then_some(failing.since + settings.disable_after);
        if failing.messages < settings.messages && !self.counted.contains(&message) {
            failing.messages += 1;
            self.counted.push(message);
        }
        let finding = judge(failing, settings);
        match finding {
            Finding::Warn(step) => {
                failing.warned = step;
                for (at, percent) in failing.warned_at.iter_mut().zip(WARNINGS) {
                    if percent == step {
                        *at = Some(now);
                    }
                }
            }
            Finding::Nothing if first || now.since(self.persisted) >= PERSIST_EVERY => {
                self.persisted = now;
                return Finding::Persist;
            }
            _ => {}
        }
        finding
    }
}

fn judge(failing: &Failing, settings: &HealthSettings) -> Finding {
    let lasted = failing.last.since(failing.since);
    let counts = failing.messages >= settings.messages && lasted >= settings.apart;
    if !counts || settings.disable_after.is_zero() {
        return Finding::Nothing;
    }
    let percent = lasted.as_micros() * 100 / settings.disable_after.as_micros();
    if percent >= 100 {
        return Finding::Disable;
    }
    let mut steps = WARNINGS.into_iter().rev();
    let step = steps.find(|step| percent >= u128::from(*step));
    match step {
        Some(step) if step > failing.warned => Finding::Warn(step),
        _ => Finding::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails every hour with a message of its own; returns what was found besides nothing.
    fn fail_hourly(hours: i64, messages: u64) -> Vec<(i64, Finding)> {
        let (mut health, settings) = (Health::default(), HealthSettings::default());
        let find = |hour| {
            let message = MessageId::from(hour as u64 % messages);
            (
                hour,
                health.failed(Timestamp::from_seconds(hour * 3600), message, &settings),
            )
        };
        let quiet = [Finding::Nothing, Finding::Persist];
        (0..=hours)
            .map(find)
            .filter(|(_, finding)| !quiet.contains(finding))
            .collect()
    }

    #[test]
    fn it_warns_thrice_and_disables_after_five_days() {
        let expected = [
            (60, Finding::Warn(50)),
            (90, Finding::Warn(75)),
            (108, Finding::Warn(90)),
            (120, Finding::Disable),
        ];
        assert_eq!(fail_hourly(120, 3), expected);
    }

    #[test]
    fn two_messages_are_not_enough() {
        assert_eq!(fail_hourly(200, 2), []);
    }

    #[test]
    fn it_is_persisted_first_and_then_once_a_minute() {
        let (mut health, settings) = (Health::default(), HealthSettings::default());
        let mut fail = |second| {
            health.failed(
                Timestamp::from_seconds(second),
                MessageId::from(1),
                &settings,
            )
        };
        let found: Vec<_> = [1000, 1030, 1059, 1060, 1061].map(&mut fail).to_vec();
        let (persist, nothing) = (Finding::Persist, Finding::Nothing);
        assert_eq!(found, [persist, nothing, nothing, persist, nothing]);
        assert!(health.clear());
        assert!(!health.clear());
    }
}
