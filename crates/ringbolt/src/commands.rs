//! What each command does, a file each.

pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod failing;
pub(crate) mod key;
pub(crate) mod migrate;
pub(crate) mod nodes;
pub(crate) mod serve;
