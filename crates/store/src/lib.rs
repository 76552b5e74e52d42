#![doc = include_str!("../README.md")]

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod contract;
mod sqlite;
mod vault;

pub use contract::*;
pub use sqlite::{
    Inspection, KeysInUse, OpenError, Soundness, SqliteSettings, SqliteStore, check_pages, copy,
    inspect, keys_in_use, refuse_foreign,
};
