#![doc = include_str!("../README.md")]

pub mod contract;
mod sqlite;
mod vault;

pub use contract::*;
pub use sqlite::{OpenError, SqliteSettings, SqliteStore};
