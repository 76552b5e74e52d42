//! Retry schedules: how long to wait before each further try.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most tries that follow the first.
pub const MAX_RETRIES: usize = 64;
/// The longest wait before a try.
pub const MAX_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Waits are drawn from this share below to this share above the scheduled one.
pub const JITTER: f64 = 0.2;

/// The waits before the second, third, … try. The first try is made at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RetrySchedule(Vec<Duration>);

/// Why a schedule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A part is no duration with a unit.
    #[error(
        "`{0}` is no duration; expected a number with a unit: ms, s, m, h or d, such as 5s or 10h"
    )]
    Duration(String),
    /// A part is empty; parts are counted from 1.
    #[error("item {0} is empty")]
    Empty(usize),
    /// More waits than allowed.
    #[error("at most {MAX_RETRIES} retries are possible")]
    TooMany,
    /// A wait is longer than allowed.
    #[error("a wait can be 30 days at most")]
    TooLong,
}

impl RetrySchedule {
    /// A schedule of these waits.
    ///
    /// # Errors
    /// If there are more than [`MAX_RETRIES`], or one is longer than [`MAX_WAIT`].
    pub fn new(waits: Vec<Duration>) -> Result<Self, ScheduleError> {
        if waits.len() > MAX_RETRIES {
            return Err(ScheduleError::TooMany);
        }
        if waits.iter().any(|wait| *wait > MAX_WAIT) {
            return Err(ScheduleError::TooLong);
        }
        Ok(Self(waits))
    }

    /// The wait after `attempts` tries have failed, with jitter; `None` when the schedule has ended.
    /// `random` decides the jitter: 0 gives the shortest wait, `u32::MAX` the longest.
    #[must_use]
    pub fn wait_after(&self, attempts: u32, random: u32) -> Option<Duration> {
        let wait = self
            .0
            .get(usize::try_from(attempts.checked_sub(1)?).ok()?)?;
        let share = f64::from(random) / f64::from(u32::MAX);
        Some(wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * share))
    }

    /// The waits, without jitter.
    #[must_use]
    pub fn waits(&self) -> &[Duration] {
        &self.0
    }
}

impl Default for RetrySchedule {
    /// The one that receivers know: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
    fn default() -> Self {
        Self(
            [5, 300, 1800, 7200, 18_000, 36_000, 36_000]
                .map(Duration::from_secs)
                .to_vec(),
        )
    }
}

impl FromStr for RetrySchedule {
    type Err = ScheduleError;

    /// Comma-separated durations; empty text means no retries.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        if text.trim().is_empty() {
            return Self::new(Vec::new());
        }
        let wait = |(at, part): (usize, &str)| match part.trim() {
            "" => Err(ScheduleError::Empty(at + 1)),
            part => parse_duration(part).ok_or_else(|| ScheduleError::Duration(part.into())),
        };
        let waits: Result<Vec<_>, _> = text.split(',').enumerate().map(wait).collect();
        Self::new(waits?)
    }
}

impl TryFrom<String> for RetrySchedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, ScheduleError> {
        text.parse()
    }
}

impl From<RetrySchedule> for String {
    fn from(schedule: RetrySchedule) -> Self {
        schedule.to_string()
    }
}

impl fmt::Display for RetrySchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, wait) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(&format_duration(*wait))?;
        }
        Ok(())
    }
}

/// Reads a whole number with a unit (`ms`, `s`, `m`, `h`, `d`), as configuration and API write them.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(millis)?))
}

/// Writes a duration in the largest unit that divides it.
#[must_use]
pub fn format_duration(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let units = [
        (86_400_000_u64, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
    ];
    match units
        .iter()
        .find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit))
    {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_default_is_written_as_it_is_configured() {
        let text = "5s,5m,30m,2h,5h,10h,10h";
        assert_eq!(RetrySchedule::default().to_string(), text);
        assert_eq!(text.parse(), Ok(RetrySchedule::default()));
    }

    #[test]
    fn jitter_is_a_fifth_either_way() {
        let schedule: RetrySchedule = "10s".parse().unwrap();
        assert_eq!(schedule.wait_after(1, 0), Some(Duration::from_secs(8)));
        assert_eq!(
            schedule.wait_after(1, u32::MAX),
            Some(Duration::from_secs(12))
        );
        assert_eq!(schedule.wait_after(2, 0), None);
    }

    #[test]
    fn wrong_schedules_say_why() {
        assert_eq!(
            "5".parse::<RetrySchedule>(),
            Err(ScheduleError::Duration("5".into()))
        );
        assert_eq!("31d".parse::<RetrySchedule>(), Err(ScheduleError::TooLong));
        assert_eq!(
            ["1s"; 65].join(",").parse::<RetrySchedule>(),
            Err(ScheduleError::TooMany)
        );
        for (text, at) in [("5s,,5m", 2), ("5s,", 2), (",5s", 1), ("5s, ,5m", 2)] {
            let parsed = text.parse::<RetrySchedule>();
            assert_eq!(parsed, Err(ScheduleError::Empty(at)), "{text}");
        }
        assert_eq!("".parse::<RetrySchedule>().map(|s| s.waits().len()), Ok(0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 2, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_read_can_be_written_and_read_again_and_no_wait_overflows(
            text in "([0-9]{1,20}(ms|s|m|h|d|)[, ]{0,2}){0,6}|[ -~é]{0,40}",
            attempts in 0..10_u32,
            random in any::<u32>(),
        ) {
            if let Ok(schedule) = text.parse::<RetrySchedule>() {
                prop_assert_eq!(schedule.to_string().parse(), Ok(schedule.clone()));
                let due = (1..=schedule.waits().len()).contains(&(attempts as usize));
                prop_assert_eq!(schedule.wait_after(attempts, random).is_some(), due);
            }
        }
    }
}
