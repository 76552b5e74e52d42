//! What the engine is configured with: in all, and lane by lane.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use ringbolt_model::endpoint::Failing;
use ringbolt_model::{Endpoint, RetrySchedule};

const HOUR: Duration = Duration::from_secs(3600);

/// What holds for all lanes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Nothing is tried: all that is owed waits.
    pub paused: bool,
    /// Attempts in flight in all.
    pub in_flight: usize,
    /// Attempts in flight of a lane that sets no number of its own, to begin with.
    pub concurrency: u16,
    /// What such a lane grows towards while it answers promptly.
    pub concurrency_max: u16,
    /// An attempt in flight for longer than this is said to hang.
    pub hang_after: Duration,
    /// The longest that an attempt takes; nothing is cut off by it here.
    pub timeout: Duration,
    /// The retry schedule of lanes without one of their own.
    pub schedule: RetrySchedule,
    /// When lanes stop trying, and how they probe.
    pub breaker: BreakerSettings,
    /// When endpoints are warned about and disabled.
    pub health: HealthSettings,
    /// How much may wait in memory.
    pub memory: MemorySettings,
    /// How rows are read back.
    pub pages: PageSettings,
    /// A lane without anything to do is forgotten after this time; after sixty times as long if its
    /// endpoint was failing.
    pub forget_after: Duration,
}

/// When lanes stop trying, and how they probe.
#[derive(Debug, Clone)]
pub struct BreakerSettings {
    /// Failures in a row after which a lane stops; 0 for never.
    pub failures: u32,
    /// From stopping to the first probe; doubled after each that fails.
    pub first_probe: Duration,
    /// The longest time between probes.
    pub longest_probe: Duration,
}

/// When endpoints are warned about and disabled.
#[derive(Debug, Clone)]
pub struct HealthSettings {
    /// How long an endpoint must have been failing to be disabled; zero for never.
    pub disable_after: Duration,
    /// How many different messages must have failed in that time.
    pub messages: u32,
    /// How far the first and the latest failure must be apart.
    pub apart: Duration,
}

/// How much may wait in memory.
#[derive(Debug, Clone)]
pub struct MemorySettings {
    /// Bytes of payloads; one that goes to many endpoints counts once.
    pub bytes: usize,
    /// Deliveries.
    pub deliveries: usize,
    /// Bytes of payloads in one lane.
    pub lane_bytes: usize,
    /// Deliveries in one lane.
    pub lane_deliveries: usize,
}

/// How rows are read back.
#[derive(Debug, Clone)]
pub struct PageSettings {
    /// Rows that a lane takes at once.
    pub rows: usize,
    /// Bytes of payloads that a lane takes at once, unless the first is larger.
    pub bytes: usize,
    /// Pages being read at once, of all lanes.
    pub at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            paused: false,
            in_flight: 1024,
            concurrency: 10,
            concurrency_max: 32,
            hang_after: Duration::from_secs(1),
            timeout: Duration::from_secs(15),
            schedule: RetrySchedule::default(),
            breaker: BreakerSettings::default(),
            health: HealthSettings::default(),
            memory: MemorySettings::default(),
            pages: PageSettings::default(),
            forget_after: Duration::from_secs(60),
        }
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 10,
            first_probe: Duration::from_secs(5),
            longest_probe: Duration::from_secs(300),
        }
    }
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            disable_after: 120 * HOUR,
            messages: 3,
            apart: 12 * HOUR,
        }
    }
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            deliveries: 100_000,
            lane_bytes: 16 << 20,
            lane_deliveries: 8192,
        }
    }
}

impl Default for PageSettings {
    fn default() -> Self {
        Self {
            rows: 256,
            bytes: 1 << 20,
            at_once: 16,
        }
    }
}

/// What an endpoint asks of its lane.
#[derive(Debug, Clone, Default)]
pub struct LaneSettings {
    /// Nothing is to be sent.
    pub disabled: bool,
    /// Attempts in flight, never more; the lane adapts if absent.
    pub concurrency: Option<NonZeroU16>,
    /// Tries per second; unlimited if absent.
    pub rate: Option<NonZeroU32>,
    /// Its own retry schedule; the general one if absent.
    pub schedule: Option<RetrySchedule>,
    /// Its row of failures as last persisted. Read when the engine first meets the lane; from then
    /// on the engine knows better.
    pub failing: Option<Failing>,
}

impl From<&Endpoint> for LaneSettings {
    fn from(endpoint: &Endpoint) -> Self {
        Self {
            disabled: endpoint.disabled.is_some(),
            concurrency: endpoint.concurrency,
            rate: endpoint.throttle_rate,
            schedule: endpoint.schedule.clone(),
            failing: endpoint.failing,
        }
    }
}
