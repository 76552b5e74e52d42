//! Who is connected, and which of the connections have done nothing for too long.
//!
//! A connection notes what happens to it in a few atomic words, and one task looks at all of them once
//! a second. So a request costs no timer, and limits hold to a second.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::activity::{Activity, Order};
use super::room::make_room;
use super::unread::{All, Share};

/// How often limits are looked at.
const STEP: Duration = Duration::from_secs(1);
/// How long a request waits for room for its answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many connections are looked at for one that can make room.
const LOOKED_AT: usize = 128;

/// All connections.
pub(super) struct Registry {
    pub(super) limits: Limits,
    connected: Mutex<Connected>,
    began: Instant,
    all: Arc<All>,
    finishing: AtomicBool,
    /// The second in which somebody was last refused, and in which nobody could be taken.
    refused: AtomicU32,
    failed: AtomicU32,
}

/// The connections by number, in the order in which they came.
#[derive(Default)]
struct Connected {
    all: BTreeMap<u64, Arc<Activity>>,
    /// The number of the next one.
    next: u64,
    /// Where the next search begins.
    cursor: u64,
}

impl Connected {
    /// The one of the next few that has had nothing to answer for longest, so that a flood does not make us look at all of them for
    /// each that comes.
    fn longest_spare(&mut self, now: u32) -> Option<u64> {
        let (before, from) = (self.all.range(..self.cursor), self.all.range(self.cursor..));
        let (mut best, mut last) = (None, 0);
        for (id, activity) in from.chain(before).take(LOOKED_AT) {
            last = *id;
            let spare = activity.spare_for(now).map(|spare| (spare, Reverse(*id)));
            best = best.max(spare);
        }
        self.cursor = last + 1;
        best.map(|(_, Reverse(id))| id)
    }

    /// Ends the one of the next few that has had nothing to answer for longest. Says whether there was one.
    fn end_longest_spare(&mut self, now: u32) -> bool {
        let longest = self.longest_spare(now);
        let ended = longest.and_then(|id| self.all.remove(&id));
        if let Some(activity) = &ended {
            activity.tell(Order::Close);
        }
        ended.is_some()
    }
}

impl Registry {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            connected: Mutex::default(),
            began: Instant::now(),
            all: Arc::new(All::new(limits.unread, limits.answer)),
            finishing: AtomicBool::new(false),
            refused: AtomicU32::new(u32::MAX),
            failed: AtomicU32::new(u32::MAX),
        }
    }

    /// A place for one more connection. If all are taken, one that has long been idle, or has long kept us
    /// waiting for the body of its request, makes room; if no such one is found, there is no place.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Place> {
        let mut connected = self.connected.lock();
        if connected.all.len() >= self.limits.connections
            && !connected.end_longest_spare(self.all.seconds())
        {
            return None;
        }
        let finishing = self.finishing.load(Relaxed);
        let order = if finishing {
            Order::Finish
        } else {
            Order::Serve
        };
        let activity = Arc::new(Activity::new(&self.all, order));
        let id = connected.next;
        connected.next += 1;
        connected.all.insert(id, Arc::clone(&activity));
        Some(Place {
            registry: Arc::clone(self),
            id,
            activity,
        })
    }

    /// Whether nobody else was refused in this second, so that a flood does not flood the log.
    pub(super) fn first_refused_this_second(&self) -> bool {
        let now = self.all.seconds();
        self.refused.swap(now, Relaxed) != now
    }

    /// The same of the times that nobody could be taken.
    pub(super) fn first_failed_this_second(&self) -> bool {
        let now = self.all.seconds();
        self.failed.swap(now, Relaxed) != now
    }

    /// Whether the next one takes somebody's place.
    pub(super) fn is_full(&self) -> bool {
        self.connected.lock().all.len() >= self.limits.connections
    }

    /// Ends a connection that can make room, although there are places left. Says whether there was one.
    pub(super) fn make_place(&self) -> bool {
        let mut connected = self.connected.lock();
        connected.end_longest_spare(self.all.seconds())
    }

    /// Counts an answer of so many bytes for as long as it waits for its client. Beyond what all
    /// answers may hold, connections that hold more make room. Says whether it fits.
    pub(super) fn hold(&self, activity: &Arc<Activity>, bytes: usize) -> (Share, bool) {
        let share = Share::new(activity, bytes);
        (share, self.makes_room(activity, self.all.beyond()))
    }

    /// Waits a little, while answers hold more than they may, for connections that hold much to end. Says
    /// whether there is room now; what is `pressing`, as it has an effect, needs less of it: it is answered
    /// in any case once it was done, so it is begun only while there is less than twice as much.
    pub(super) async fn has_room(&self, activity: &Arc<Activity>, pressing: bool) -> bool {
        if self.all.beyond() == 0 {
            return true;
        }
        let waiting = timeout(PATIENCE, self.room_for(activity)).await;
        waiting.is_ok() || (pressing && self.all.far_beyond() == 0)
    }

    async fn room_for(&self, activity: &Arc<Activity>) {
        loop {
            let mut room = pin!(self.all.room.notified());
            room.as_mut().enable();
            match self.all.beyond() {
                0 => return,
                beyond => self.makes_room(activity, beyond),
            };
            room.await;
        }
    }

    fn makes_room(&self, asking: &Arc<Activity>, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let connected = self.connected.lock();
        make_room(connected.all.values(), asking, self.all.seconds(), bytes)
    }

    /// Lets every connection answer what is in flight and end.
    pub(super) fn finish_all(&self) {
        self.finishing.store(true, Relaxed);
        self.tell_all(Order::Finish);
    }

    /// Ends every connection.
    pub(super) fn close_all(&self) {
        self.tell_all(Order::Close);
    }

    /// How long ago the limits were last looked at.
    pub(super) fn unswept(&self) -> Duration {
        let swept = Duration::from_secs(self.all.seconds().into());
        self.began.elapsed().saturating_sub(swept)
    }

    /// How many connections could make room.
    #[cfg(test)]
    pub(super) fn spare(&self) -> usize {
        let (connected, now) = (self.connected.lock(), self.all.seconds());
        let spare = |one: &&Arc<Activity>| one.spare_for(now).is_some();
        connected.all.values().filter(spare).count()
    }

    /// How many connections have a request in flight.
    #[cfg(test)]
    pub(super) fn busy(&self) -> usize {
        let connected = self.connected.lock();
        connected.all.values().filter(|one| one.is_busy()).count()
    }

    fn tell_all(&self, order: Order) {
        for activity in self.connected.lock().all.values() {
            activity.tell(order);
        }
    }

    /// Bytes of answers that nobody has taken.
    #[cfg(test)]
    pub(super) fn unread(&self) -> usize {
        self.all.bytes()
    }

    fn close_overdue(&self, now: u32) {
        self.all.set_seconds(now);
        for activity in self.connected.lock().all.values() {
            if let Some(order) = activity.overdue(now, &self.limits) {
                activity.tell(order);
            }
        }
    }
}

/// Looks once a second whose time is over.
pub(super) async fn sweep(registry: Arc<Registry>, closing: CancellationToken) {
    let mut steps = interval(STEP);
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            now = steps.tick() => {
                let seconds = now.duration_since(registry.began).as_secs();
                registry.close_overdue(u32::try_from(seconds).unwrap_or(u32::MAX));
            }
        }
    }
}

/// A connection's place among the others; it is free again when this is dropped.
pub(super) struct Place {
    pub(super) registry: Arc<Registry>,
    id: u64,
    pub(super) activity: Arc<Activity>,
}

impl Place {
    pub(super) fn limits(&self) -> Limits {
        self.registry.limits
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.connected.lock().all.remove(&self.id);
    }
}

#[cfg(test)]
mod tests;
