//! The engine in a small world: what it promises, whatever happens.

mod audit;
mod promises;
mod properties;
mod sharing;
mod wavering;
mod world;
