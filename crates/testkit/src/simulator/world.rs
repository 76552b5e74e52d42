//! A world, drawn from a seed: settings, tenants, weather, and what is done when.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use ringbolt_engine::Settings;
use ringbolt_model::{RetrySchedule, Subscription, Timestamp};

use super::deeds::Deed;
use super::random::Random;
use super::weather::Weather;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// How long all is well before nothing may be pending any more: longer than the longest wait that an
/// endpoint can ask for, a schedule's longest, and all jumps of the time of day together.
const AFTERMATH: Duration = Duration::from_secs(6 * 86_400);

pub(super) const EVENT_TYPES: [&str; 3] = ["order.paid", "order.sent", "user.left"];
pub(super) const CHANNELS: [&str; 2] = ["north", "south"];

/// What is drawn once; whatever depends on how things go is drawn when it is time.
#[derive(Debug)]
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) begin: Timestamp,
    /// When every endpoint answers well again, and nothing more is done.
    pub(super) heals: Timestamp,
    pub(super) end: Timestamp,
    pub(super) apps: Vec<PlannedApp>,
    pub(super) deeds: Vec<(Timestamp, Deed)>,
    /// When commits fail.
    pub(super) bad_disk: Vec<(Timestamp, Timestamp)>,
}

/// An application that is there from the beginning.
#[derive(Debug)]
pub(super) struct PlannedApp {
    pub(super) rate: Option<NonZeroU16>,
    pub(super) endpoints: Vec<Character>,
}

/// What an endpoint asks for, and how it answers.
#[derive(Debug, Clone)]
pub(super) struct Character {
    pub(super) subscription: Subscription,
    pub(super) rate: Option<NonZeroU32>,
    pub(super) concurrency: Option<NonZeroU16>,
    pub(super) schedule: Option<RetrySchedule>,
    pub(super) weather: Weather,
}

impl World {
    pub(super) fn drawn(random: &mut Random) -> Self {
        let begin = Timestamp::from_seconds(1_800_000_000);
        let heals = begin + random.evenly(12 * HOUR, 200 * HOUR);
        let apps = (0..random.between(1, 3))
            .map(|_| PlannedApp::drawn(random, begin, heals))
            .collect();
        Self {
            settings: settings(random),
            begin,
            heals,
            end: heals + AFTERMATH,
            apps,
            deeds: deeds(random, begin, heals),
            bad_disk: bad_disk(random, begin, heals),
        }
    }
}

impl PlannedApp {
    fn drawn(random: &mut Random, begin: Timestamp, heals: Timestamp) -> Self {
        let endpoints = (0..random.between(1, 5))
            .map(|_| Character::drawn(random, begin, heals))
            .collect();
        Self {
            rate: app_rate(random),
            endpoints,
        }
    }
}

impl Character {
    pub(super) fn drawn(random: &mut Random, begin: Timestamp, heals: Timestamp) -> Self {
        Self {
            subscription: subscription(random),
            rate: rate(random),
            concurrency: concurrency(random),
            schedule: schedule(random),
            weather: Weather::drawn(random, begin, heals),
        }
    }
}

pub(super) fn app_rate(random: &mut Random) -> Option<NonZeroU16> {
    NonZeroU16::new(random.pick(&[0, 0, 0, 1, 10, 100]))
}

pub(super) fn rate(random: &mut Random) -> Option<NonZeroU32> {
    NonZeroU32::new(random.pick(&[0, 0, 0, 1, 2, 7, 50]))
}

pub(super) fn concurrency(random: &mut Random) -> Option<NonZeroU16> {
    NonZeroU16::new(random.pick(&[0, 0, 0, 1, 2, 5]))
}

pub(super) fn schedule(random: &mut Random) -> Option<RetrySchedule> {
    let text = random.pick(&[
        "default",
        "default",
        "",
        "1s,2s",
        "100ms,1s,10s,1m,1h",
        "1m,1d",
    ]);
    if text == "default" {
        None
    } else {
        text.parse().ok()
    }
}

pub(super) fn subscription(random: &mut Random) -> Subscription {
    let types = EVENT_TYPES.iter().filter(|_| random.chance(40));
    let event_types = types.filter_map(|name| name.parse().ok()).collect();
    let channels = CHANNELS.iter().filter(|_| random.chance(15));
    let channels = channels.filter_map(|name| name.parse().ok()).collect();
    Subscription {
        event_types,
        channels,
    }
}

fn settings(random: &mut Random) -> Settings {
    let mut settings = Settings {
        in_flight: random.pick(&[2, 6, 32, 1024]),
        concurrency: random.pick(&[2, 10]),
        forget_after: random.pick(&[5, 60]) * SECOND,
        ..Settings::default()
    };
    settings.breaker.failures = random.pick(&[0, 3, 10, 10]);
    settings.health.disable_after = random.pick(&[0, 10, 120, 120]) * HOUR;
    settings.health.apart = random.pick(&[1, 12]) * HOUR;
    settings.memory.deliveries = random.pick(&[6, 40, 300, 100_000]);
    settings.memory.bytes = random.pick(&[3000, 100_000, 64 << 20]);
    settings.memory.lane_deliveries = random.pick(&[4, 32, 8192]);
    settings.pages.rows = random.pick(&[2, 16, 256]);
    settings.pages.bytes = random.pick(&[1000, 1 << 20]);
    settings.pages.at_once = random.pick(&[1, 4, 16]);
    settings
}

/// What is done when, in order: bursts of messages, and around some of them what else is done.
fn deeds(random: &mut Random, begin: Timestamp, heals: Timestamp) -> Vec<(Timestamp, Deed)> {
    let mut deeds = Vec::new();
    let span = heals.since(begin);
    let moment = |random: &mut Random| begin + random.evenly(Duration::ZERO, span);
    let mut messages = random.between(60, 450);
    while messages > 0 {
        let most = 1 << random.between(0, 7);
        let size = random.between(1, most).min(messages);
        messages -= size;
        let (from, gap) = (
            moment(random),
            random.span(Duration::from_millis(1), 60 * SECOND),
        );
        let times = (0..size).map(|_| from + random.evenly(Duration::ZERO, gap * size as u32));
        deeds.extend(times.map(|at| (at, Deed::Send)));
    }
    let sends: Vec<Timestamp> = deeds.iter().map(|(at, _)| *at).collect();
    for (deed, most) in [
        (Deed::Edit, 6),
        (Deed::SetRate, 2),
        (Deed::Disable, 4),
        (Deed::Enable, 8),
        (Deed::Delete, 2),
        (Deed::Create, 2),
        (Deed::Resend, 40),
        (Deed::Recover, 5),
        (Deed::Expunge, 4),
        (Deed::Tidy, 40),
        (Deed::Jump, 3),
        (Deed::Crash, 5),
        (Deed::Audit, 3),
    ] {
        for _ in 0..random.between(0, most) {
            let at = match random.chance(60) {
                true => random.pick(&sends) + random.span(Duration::from_micros(100), 20 * SECOND),
                false => moment(random),
            };
            deeds.push((at, deed));
        }
    }
    if random.chance(10) {
        deeds.push((moment(random), Deed::DeleteApp));
    }
    deeds.retain(|(at, _)| *at < heals);
    deeds.extend((0..8).map(|n| (heals + n * 8 * HOUR, Deed::EnableAll)));
    deeds.sort_unstable();
    deeds
}

fn bad_disk(
    random: &mut Random,
    begin: Timestamp,
    heals: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let span = heals.since(begin);
    let spells = random.between(0, 4).saturating_sub(1);
    (0..spells)
        .map(|_| {
            let from = begin + random.evenly(Duration::ZERO, span);
            (
                from,
                from + random.span(Duration::from_millis(100), HOUR / 4),
            )
        })
        .collect()
}
