//! What operators and metrics see of the engine.

use ringbolt_model::endpoint::Failing;
use ringbolt_model::{AppId, EndpointId, Timestamp};

/// Totals at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Attempts in flight.
    pub in_flight: usize,
    /// Deliveries in memory, those in flight included.
    pub deliveries: usize,
    /// Bytes of their payloads.
    pub bytes: usize,
    /// Lanes with nothing to do now.
    pub idle: usize,
    /// Lanes at work, or waiting for a slot.
    pub active: usize,
    /// Lanes that wait for their rate or their application's.
    pub waiting_for_rate: usize,
    /// Lanes whose endpoint asked to wait.
    pub held: usize,
    /// Lanes whose breaker is open.
    pub broken: usize,
    /// Lanes whose endpoint is disabled.
    pub disabled: usize,
    /// Lanes (also counted above) with rows in the store that come before anything new.
    pub behind: usize,
}

/// What a lane is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaneState {
    /// It has nothing to do now.
    Idle,
    /// It is at work, or waits for a slot.
    Active,
    /// It waits for its rate or its application's.
    WaitingForRate,
    /// Its endpoint asked to wait.
    Held,
    /// Its breaker is open.
    Broken,
    /// Its endpoint is disabled, or deleted.
    Disabled,
}

/// One lane at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneView {
    /// Whose lane it is.
    pub endpoint: EndpointId,
    /// The application that the endpoint belongs to.
    pub app: AppId,
    /// What it is doing.
    pub state: LaneState,
    /// Attempts in flight.
    pub in_flight: usize,
    /// How many it may have in flight while slots are scarce.
    pub width: usize,
    /// Deliveries in memory, those in flight included.
    pub deliveries: usize,
    /// Bytes of their payloads.
    pub bytes: usize,
    /// Whether rows in the store come before anything new.
    pub behind: bool,
    /// When its earliest row is due that it has not read, as far as it knows.
    pub next_due: Option<Timestamp>,
    /// Until when its endpoint asked to wait.
    pub held_until: Option<Timestamp>,
    /// When its open breaker lets the next delivery probe.
    pub next_probe: Option<Timestamp>,
    /// Its row of failures, if it is failing.
    pub failing: Option<Failing>,
}

/// How far deliveries lag behind what is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressure {
    /// Deliveries in memory of lanes that make progress: accepting should slow down as these pile
    /// up. Those of lanes that do not (hanging, broken, disabled) are no reason to.
    pub flowing: usize,
    /// All deliveries in memory.
    pub deliveries: usize,
    /// How many there is room for.
    pub most_deliveries: usize,
    /// Bytes of all payloads in memory.
    pub bytes: usize,
    /// How many there is room for.
    pub most_bytes: usize,
}
