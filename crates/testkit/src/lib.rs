#![doc = include_str!("../README.md")]

pub mod clock;
mod pretended;
pub mod simulator;

pub use clock::MockClock;
pub use pretended::Pretended;
