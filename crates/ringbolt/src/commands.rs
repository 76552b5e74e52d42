//! What each command does, a file each.

pub(crate) mod config;
