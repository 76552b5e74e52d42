//! The journal on PostgreSQL.
use super::PostgresStore;
use super::membership::Membership;
use super::settings::PostgresSettings;
use crate::{Journal, Listener, Write};

#[derive(Debug)]
pub(super) struct Hot;
impl Hot {
    pub(super) fn new(_s: &PostgresSettings, _m: &Membership) -> Self { Self }
    pub(super) fn close(&self) {}
    #[cfg(test)]
    pub(super) fn kill(&self) {}
}
impl PostgresStore {
    pub(super) fn start_writers(&self) {}
    pub(super) fn start_membership(&self) {}
}
impl Journal for PostgresStore {
    fn submit(&self, _write: Write) -> Result<(), Box<Write>> { todo!() }
    fn listen(&self, _listener: Listener) {}
}
