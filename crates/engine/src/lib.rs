#![doc = include_str!("../README.md")]

pub mod action;
pub mod engine;
pub mod input;
pub mod settings;
pub mod snapshot;

mod breaker;
mod hash;
mod health;
mod lane;
mod limiter;
mod memory;
mod pages;
mod random;
mod retry;
mod share;
mod timers;

pub use action::{Action, Admission, Change, Decision, Start};
pub use engine::Engine;
pub use input::{Endpoints, Failure, Hold, Input, Outcome, StoredDelivery, Target, Verdict};
pub use settings::{
    BreakerSettings, HealthSettings, LaneSettings, MemorySettings, PageSettings, Settings,
};
pub use snapshot::{LaneState, LaneView, Pressure, Snapshot};
