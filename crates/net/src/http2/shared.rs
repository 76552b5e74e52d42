//! The HTTP/2 connections that are open, and how many exchanges each carries.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::failure::Failure;
use crate::pool::Key;
use crate::settings::Limits;
use crate::stream::Stream;

/// Exchanges on one connection at once; beyond that another connection is made. Servers commonly
/// allow 100 or more.
const MAX_STREAMS: usize = 100;
/// What a peer may have in flight to us on one stream: no more of a body is kept than this.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// One connection.
pub(crate) struct Shared {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    streams: AtomicUsize,
    idle_since: Mutex<Instant>,
}

/// The right to make one exchange on a connection.
pub(crate) struct Lease(Arc<Shared>);

impl Lease {
    pub(crate) fn sender(&self) -> SendRequest<Full<Bytes>> {
        self.0.sender.clone()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *self.0.idle_since.lock() = Instant::now();
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn has_room(&self) -> bool {
        !self.sender.is_closed() && self.streams.load(Ordering::Relaxed) < MAX_STREAMS
    }

    /// Counts are changed under the list's lock, so that no two leases take the last place.
    fn lease(self: &Arc<Self>) -> Lease {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Lease(Arc::clone(self))
    }

    fn is_idle(&self) -> bool {
        self.streams.load(Ordering::Relaxed) == 0
    }

    fn is_spent(&self, now: Instant, idle_timeout: Duration) -> bool {
        let idle_for = now.saturating_duration_since(*self.idle_since.lock());
        self.sender.is_closed() || (self.is_idle() && idle_for >= idle_timeout)
    }
}

type ByKey = HashMap<Key, SmallVec<[Arc<Shared>; 1]>>;

/// The HTTP/2 connections of one client. A connection ends when its last sender is dropped.
pub(crate) struct SharedConnections {
    by_key: Mutex<ByKey>,
    idle_timeout: Duration,
    max_idle: usize,
}

impl SharedConnections {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            by_key: Mutex::default(),
            idle_timeout: limits.idle_timeout,
            max_idle: limits.max_idle_total,
        }
    }

    /// A place on an open connection.
    pub(crate) fn lease(&self, key: &Key) -> Option<Lease> {
        let mut by_key = self.by_key.lock();
        let shared = by_key.get_mut(key)?;
        shared.retain(|shared| !shared.sender.is_closed());
        shared
            .iter()
            .find(|shared| shared.has_room())
            .map(Shared::lease)
    }

    /// Adds a connection, or drops it when another exchange has meanwhile made one with room.
    pub(crate) fn add(
        &self,
        key: Key,
        sender: SendRequest<Full<Bytes>>,
        address: SocketAddr,
    ) -> Lease {
        let now = Instant::now();
        let mut by_key = self.by_key.lock();
        if let Some(other) = by_key
            .get(&key)
            .and_then(|all| all.iter().find(|s| s.has_room()))
        {
            return other.lease();
        }
        make_room(&mut by_key, self.max_idle, now, self.idle_timeout);
        let streams = AtomicUsize::new(0);
        let shared = Arc::new(Shared {
            sender,
            address,
            streams,
            idle_since: Mutex::new(now),
        });
        let lease = shared.lease();
        by_key.entry(key).or_default().push(shared);
        lease
    }

    /// Lets go of what is closed or has been idle for too long.
    pub(crate) fn sweep(&self, now: Instant) {
        retain(&mut self.by_key.lock(), |shared| {
            !shared.is_spent(now, self.idle_timeout)
        });
    }

    pub(crate) fn clear(&self) {
        self.by_key.lock().clear();
    }

    /// Connections that carry no exchange at the moment.
    pub(crate) fn idle(&self) -> usize {
        let by_key = self.by_key.lock();
        by_key
            .values()
            .flatten()
            .filter(|shared| shared.is_idle())
            .count()
    }
}

/// When there are as many connections as may lie idle, those that do go, the oldest first.
fn make_room(by_key: &mut ByKey, max: usize, now: Instant, idle_timeout: Duration) {
    if by_key.len() < max {
        return;
    }
    retain(by_key, |shared| !shared.is_spent(now, idle_timeout));
    let idle = by_key.values().flatten().filter(|shared| shared.is_idle());
    let oldest = idle.map(|shared| *shared.idle_since.lock()).min();
    if by_key.len() >= max {
        retain(by_key, |shared| {
            !shared.is_idle() || Some(*shared.idle_since.lock()) != oldest
        });
    }
}

fn retain(by_key: &mut ByKey, keep: impl Fn(&Shared) -> bool) {
    by_key.retain(|_, all| {
        all.retain(|shared| keep(shared));
        !all.is_empty()
    });
}

/// Begins HTTP/2 on a stream; the connection's task belongs to the tracker.
pub(crate) async fn shake_hands(
    stream: Stream,
    limits: &Limits,
    tasks: &TaskTracker,
) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let header_list = u32::try_from(limits.max_header_bytes * 2).unwrap_or(u32::MAX);
    let (sender, connection) = Builder::new(Spawner(tasks.clone()))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(header_list)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| super::exchange::failure(&error))?;
    // Every exchange learns of the connection's end by itself.
    tasks.spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// Spawns hyper's own tasks where shutdown can wait for them.
#[derive(Clone)]
struct Spawner(TaskTracker);

impl<F> Executor<F> for Spawner
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
