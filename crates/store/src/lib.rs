#![doc = include_str!("../README.md")]

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod contract;
mod encoding;
pub mod lease;
mod lists;
mod meter;
mod postgres;
mod room;
mod sqlite;
mod vault;

pub use contract::*;
pub use postgres::{
    AddressError, PostgresAddress, PostgresLook, PostgresOpenError, PostgresSettings,
    PostgresStore, Trust, look, migrate,
};
pub use sqlite::{
    Inspection, KeysInUse, OpenError, Soundness, SqliteSettings, SqliteStore, check_pages, copy,
    inspect, keys_in_use, refuse_foreign,
};
