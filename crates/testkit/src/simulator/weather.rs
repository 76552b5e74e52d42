//! How endpoints answer: spells of good and bad days, drawn from a seed.

use std::time::Duration;

use ringbolt_engine::{Failure, Hold, Outcome, Verdict};
use ringbolt_model::{AttemptFailure, Timestamp};

use super::random::Random;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// What takes longer is slow.
const SLOW: Duration = Duration::from_millis(300);
/// When an attempt is given up.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How an endpoint answers for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spell {
    /// Well, within milliseconds.
    Fine,
    /// Well, within seconds.
    Slow,
    /// Not at all, until the time-out.
    Hanging,
    /// Nobody listens.
    Down,
    /// With 500.
    Failing,
    /// With 410.
    Gone,
    /// With 429 or 503 and `Retry-After`.
    Busy,
    /// With another failure and `Retry-After`.
    Asking,
    /// Now so, now so.
    Flapping,
}

const BAD: [Spell; 8] = [
    Spell::Slow,
    Spell::Hanging,
    Spell::Down,
    Spell::Failing,
    Spell::Gone,
    Spell::Busy,
    Spell::Asking,
    Spell::Flapping,
];

/// What came back for an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// 0 if nothing came.
    pub(super) status: u16,
    pub(super) failure: Option<AttemptFailure>,
    pub(super) took: Duration,
    pub(super) verdict: Verdict,
    /// The endpoint does not exist any more.
    pub(super) missing: bool,
}

/// The spells of an endpoint, each until the next.
#[derive(Debug, Clone)]
pub(super) struct Weather(Vec<(Timestamp, Spell)>);

impl Weather {
    /// Spells from `begin` to `end`; after that all is well.
    pub(super) fn drawn(random: &mut Random, begin: Timestamp, end: Timestamp) -> Self {
        let mut spells = Vec::new();
        let mut at = begin;
        let bad = random.between(10, 90);
        while at < end {
            let (spell, longest) = if random.chance(bad) {
                (random.pick(&BAD), 60 * HOUR)
            } else {
                (Spell::Fine, 30 * HOUR)
            };
            spells.push((at, spell));
            at = at + random.span(20 * SECOND, longest);
        }
        spells.push((end, Spell::Fine));
        Self(spells)
    }

    pub(super) fn at(&self, time: Timestamp) -> Spell {
        let next = self.0.partition_point(|(from, _)| *from <= time);
        next.checked_sub(1)
            .map_or(Spell::Fine, |last| self.0[last].1)
    }
}

impl Answer {
    /// What an attempt gets in such a spell.
    pub(super) fn drawn(spell: Spell, random: &mut Random) -> Self {
        let quick = random.span(MILLI, 80 * MILLI);
        match spell {
            Spell::Fine => Self::success(quick),
            Spell::Slow => Self::success(random.span(SLOW, 14 * SECOND)),
            Spell::Hanging => Self::broken(AttemptFailure::Timeout, TIMEOUT),
            Spell::Down => Self::broken(AttemptFailure::Refused, quick),
            Spell::Failing => Self::status(500, quick, Failure::default()),
            Spell::Gone => {
                let gone = Failure {
                    gone: true,
                    ..Failure::default()
                };
                Self::status(410, quick, gone)
            }
            Spell::Busy => {
                let status = random.pick(&[429, 503]);
                Self::status(status, quick, holding(random, true))
            }
            Spell::Asking => Self::status(500, quick, holding(random, false)),
            Spell::Flapping if random.chance(50) => Self::success(quick),
            Spell::Flapping => {
                let spell =
                    random.pick(&[Spell::Down, Spell::Failing, Spell::Hanging, Spell::Busy]);
                Self::drawn(spell, random)
            }
        }
    }

    /// What the trace calls its end.
    pub(super) fn word(&self) -> &'static str {
        match self.verdict.outcome {
            Outcome::Failure(Failure { hold: Some(_), .. }) => "asked to wait",
            _ if self.took >= TIMEOUT => "time-out",
            _ if self.took >= SLOW => "slow",
            _ => "finish",
        }
    }

    fn success(took: Duration) -> Self {
        Self {
            status: 204,
            failure: None,
            took,
            verdict: Verdict::success(took),
            missing: false,
        }
    }

    /// An attempt without an answer.
    pub(super) fn broken(failure: AttemptFailure, took: Duration) -> Self {
        Self {
            status: 0,
            failure: Some(failure),
            took,
            verdict: Verdict::failure(took),
            missing: false,
        }
    }

    /// Nothing was sent, since the endpoint has gone.
    pub(super) fn missing() -> Self {
        Self {
            missing: true,
            ..Self::broken(AttemptFailure::Internal, Duration::ZERO)
        }
    }

    /// Nothing was sent, since the content has gone.
    pub(super) fn expired() -> Self {
        let outcome = Outcome::Failure(Failure {
            expired: true,
            ..Failure::default()
        });
        Self {
            verdict: Verdict {
                outcome,
                took: Duration::ZERO,
            },
            ..Self::broken(AttemptFailure::Expired, Duration::ZERO)
        }
    }

    fn status(status: u16, took: Duration, failure: Failure) -> Self {
        let outcome = Outcome::Failure(failure);
        Self {
            status,
            failure: Some(AttemptFailure::Status),
            took,
            verdict: Verdict { outcome, took },
            missing: false,
        }
    }
}

fn holding(random: &mut Random, lane: bool) -> Failure {
    let wait = random.span(SECOND, 30 * HOUR);
    Failure {
        hold: Some(Hold { wait, lane }),
        ..Failure::default()
    }
}
