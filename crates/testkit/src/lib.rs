#![doc = include_str!("../README.md")]

pub mod clock;
pub mod simulator;

pub use clock::MockClock;
