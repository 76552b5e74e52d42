//! The HTTP/2 connections that are open, and how many exchanges each carries.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::counted::{Counted, Writes};
use crate::failure::Failure;
use crate::pool::Key;
use crate::settings::Limits;

/// Exchanges on one connection at once, if its server allows that many; beyond that another
/// connection is made.
const MAX_STREAMS: usize = 100;
/// What a peer may have in flight to us on one stream: no more of a body is kept than this.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// How long a connection that nobody needs any more may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// A connection on which HTTP/2 has begun.
pub(crate) struct Begun {
    sender: SendRequest<Bytes>,
    writes: Writes,
    ended: Arc<AtomicBool>,
    needed: DropGuard,
}

/// One connection.
pub(crate) struct Shared {
    key: Key,
    sender: SendRequest<Bytes>,
    writes: Writes,
    address: SocketAddr,
    streams: AtomicUsize,
    idle_since: Mutex<Instant>,
    /// An answer has come, and with it the server's settings: others may use the connection.
    proven: AtomicBool,
    /// An exchange ended here without an answer. Perhaps only its receiver hangs, but perhaps the
    /// connection is dead, so nobody else is made to wait on it.
    retired: AtomicBool,
    ended: Arc<AtomicBool>,
    _needed: DropGuard,
}

/// The right to make one exchange on a connection.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    answered: AtomicBool,
}

impl Lease {
    pub(crate) fn sender(&self) -> SendRequest<Bytes> {
        self.shared.sender.clone()
    }

    /// How often the connection was asked to write until now.
    pub(crate) fn writes(&self) -> u64 {
        self.shared.writes.so_far()
    }

    /// Whether the connection is over.
    #[cfg(test)]
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Says that an answer has begun.
    pub(crate) fn answer(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Says that the answer did not end as it should, so that the connection is not used again.
    pub(crate) fn give_up(&self) {
        self.answered.store(false, Ordering::Relaxed);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !*self.answered.get_mut() {
            self.shared.retired.store(true, Ordering::Relaxed);
        }
        *self.shared.idle_since.lock() = Instant::now();
        self.shared.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn is_closed(&self) -> bool {
        self.ended.load(Ordering::Relaxed) || self.retired.load(Ordering::Relaxed)
    }

    /// A stream beyond the server's limit would wait for others to end, however long they take.
    fn has_room(&self) -> bool {
        let streams = self.streams.load(Ordering::Relaxed);
        !self.is_closed()
            && self.proven.load(Ordering::Relaxed)
            && streams < MAX_STREAMS.min(self.sender.current_max_send_streams())
    }

    /// Counts are changed under the list's lock, so that no two leases take the last place.
    fn lease(self: &Arc<Self>) -> Lease {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Lease {
            shared: Arc::clone(self),
            answered: AtomicBool::new(false),
        }
    }

    fn is_idle(&self) -> bool {
        self.streams.load(Ordering::Relaxed) == 0
    }

    fn is_spent(&self, now: Instant, idle_timeout: Duration) -> bool {
        let idle_for = now.saturating_duration_since(*self.idle_since.lock());
        self.is_closed() || (self.is_idle() && idle_for >= idle_timeout)
    }
}

type ByKey = HashMap<Key, SmallVec<[Arc<Shared>; 1]>>;

/// The HTTP/2 connections of one client. A connection ends when its last lease and its place in
/// the list are gone.
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
        shared.retain(|shared| !shared.is_closed());
        shared
            .iter()
            .find(|shared| shared.has_room())
            .map(Shared::lease)
    }

    /// Adds a connection and gives its first place.
    pub(crate) fn add(&self, key: Key, begun: Begun, address: SocketAddr) -> Lease {
        let now = Instant::now();
        let shared = Arc::new(Shared {
            key,
            sender: begun.sender,
            writes: begun.writes,
            address,
            streams: AtomicUsize::new(0),
            idle_since: Mutex::new(now),
            proven: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            ended: begun.ended,
            _needed: begun.needed,
        });
        let mut by_key = self.by_key.lock();
        make_room(&mut by_key, self.max_idle, now, self.idle_timeout);
        let lease = shared.lease();
        let all = by_key.entry(shared.key.clone()).or_default();
        all.push(shared);
        lease
    }

    /// After an exchange: if it had an answer others may use the connection, or it ends here when
    /// another, made at the same time, has room for all of them. Without one it ends as soon as
    /// it carries no exchange.
    pub(crate) fn settle(&self, lease: &Lease) {
        let shared = &lease.shared;
        let answered = lease.answered.load(Ordering::Relaxed);
        if answered && shared.proven.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(all) = self.by_key.lock().get_mut(&shared.key) {
            let is_other = |other: &Arc<Shared>| !Arc::ptr_eq(other, shared);
            if !answered || all.iter().any(|other| is_other(other) && other.has_room()) {
                all.retain(|other| is_other(other));
            }
        }
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
            .filter(|shared| shared.is_idle() && !shared.is_closed())
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
pub(crate) async fn shake_hands<S>(
    stream: S,
    limits: &Limits,
    tasks: &TaskTracker,
) -> Result<Begun, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let writes = Writes::default();
    let header_list = u32::try_from(limits.max_header_bytes * 2).unwrap_or(u32::MAX);
    let (sender, connection) = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(header_list)
        .handshake(Counted::new(stream, writes.clone()))
        .await
        .map_err(|error| super::exchange::failure(&error))?;
    let (ended, needed) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
    tasks.spawn(run(connection, needed.clone(), Arc::clone(&ended)));
    Ok(Begun {
        sender,
        writes,
        ended,
        needed: needed.drop_guard(),
    })
}

/// Every exchange learns of the connection's end by itself. A peer that does not read must not
/// keep the connection when nobody needs it any more.
async fn run<S>(
    connection: Connection<Counted<S>, Bytes>,
    unneeded: CancellationToken,
    ended: Arc<AtomicBool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = &mut connection => {}
        () = unneeded.cancelled() => drop(timeout(FAREWELL, connection).await),
    }
    ended.store(true, Ordering::Relaxed);
}
