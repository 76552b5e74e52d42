//! Idle HTTP/1.1 connections: last in, first out, bounded per host and in all.

mod shelf;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::http1::Connection;
use crate::settings::Limits;
use shelf::Shelf;

/// What a connection may be used for again: the same scheme, host and port, under the same trust.
/// The guard, the resolver and the proxy are the client's own and so the same for all its keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) origin: Arc<str>,
    /// The id of the TLS profile; 0 for plain text.
    pub(crate) tls: u64,
}

/// The pool of one client.
pub(crate) struct Pool {
    shelf: Mutex<Shelf<Connection>>,
    idle_timeout: Duration,
}

impl Pool {
    pub(crate) fn new(limits: &Limits) -> Self {
        let shelf = Shelf::new(limits.max_idle_total, limits.max_idle_per_host);
        Self {
            shelf: Mutex::new(shelf),
            idle_timeout: limits.idle_timeout,
        }
    }

    /// The connection that was used last and is still alive.
    pub(crate) fn take(&self, key: &Key, now: Instant) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.shelf.lock().take(key)?;
            let fresh = now.saturating_duration_since(since) < self.idle_timeout;
            if fresh && connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose last exchange ended cleanly.
    pub(crate) fn put(&self, key: Key, mut connection: Connection, now: Instant) {
        connection.shrink();
        // Closing a socket is a system call: it waits until the lock is free.
        let evicted = self.shelf.lock().put(key, connection, now);
        drop(evicted);
    }

    /// Closes what has been idle for too long.
    pub(crate) fn sweep(&self, now: Instant) {
        loop {
            let expired = self.shelf.lock().take_older(now, self.idle_timeout, 64);
            if expired.is_empty() {
                return;
            }
        }
    }

    /// Closes everything.
    pub(crate) fn clear(&self) {
        let all = self.shelf.lock().take_all();
        drop(all);
    }

    pub(crate) fn len(&self) -> usize {
        self.shelf.lock().len()
    }
}
