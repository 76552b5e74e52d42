//! Who is connected, what each connection is doing, and which of them have done nothing for too long.
//!
//! A connection notes what happens to it in a few atomic words, and one task looks at all of them once
//! a second. So a request costs no timer, and limits hold to a second.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::judge::Fault;
use super::unread::{All, Share, Unread};

/// How often limits are looked at.
const STEP: Duration = Duration::from_secs(1);
/// How many connections are looked at for one that can make room.
const LOOKED_AT: usize = 128;
/// For how many seconds, of which the first may be short, a client may take nothing of its answers while
/// others need the memory.
const PATIENCE: u32 = 4;

/// All connections.
pub(super) struct Registry {
    pub(super) limits: Limits,
    connected: Mutex<Connected>,
    began: Instant,
    all: Arc<All>,
    finishing: AtomicBool,
    /// The second in which somebody was last refused.
    refused: AtomicU32,
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
    /// The longest idle of the next few, so that a flood does not make us look at all of them for
    /// each that comes.
    fn longest_idle(&mut self, now: u32) -> Option<u64> {
        let (before, from) = (self.all.range(..self.cursor), self.all.range(self.cursor..));
        let (mut best, mut last) = (None, 0);
        for (id, activity) in from.chain(before).take(LOOKED_AT) {
            last = *id;
            let idle = activity.idle_for(now).map(|idle| (idle, Reverse(*id)));
            best = best.max(idle);
        }
        self.cursor = last + 1;
        best.map(|(_, Reverse(id))| id)
    }

    /// Ends connections among the next few whose clients do not take their answers, until `bytes` are
    /// on their way back. Says whether that many are.
    fn end_stuck(&mut self, now: u32, bytes: usize) -> bool {
        let (before, from) = (self.all.range(..self.cursor), self.all.range(self.cursor..));
        let (mut freed, mut last) = (0, self.cursor);
        for (id, activity) in from.chain(before).take(LOOKED_AT) {
            last = *id;
            if activity.is_stuck(now) && activity.tell(Order::Close) {
                freed += activity.unread.bytes();
            }
            if freed >= bytes {
                break;
            }
        }
        self.cursor = last + 1;
        freed >= bytes
    }
}

/// What a connection is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Nothing: go on.
    Serve,
    /// Answer what is in flight, then end.
    Finish,
    /// End now, and say that the head took too long to arrive.
    Late,
    /// End now.
    Close,
}

/// What a connection is doing.
pub(super) struct Activity {
    pub(super) all: Arc<All>,
    /// Answers that its client has not taken.
    pub(super) unread: Unread,
    /// Since when it is doing it.
    since: AtomicU32,
    /// Whether a head has begun to arrive.
    in_head: AtomicBool,
    /// Whether several requests share it, so that bytes say nothing about heads.
    multiplexed: AtomicBool,
    /// Requests that have not been answered.
    in_flight: AtomicU32,
    order: AtomicU8,
    waker: AtomicWaker,
    /// Whether everything that was answered has been written; then nobody but hyper has more to say.
    at_rest: AtomicBool,
    /// Heads that were found to be plain, and of those the ones that have been taken.
    plain: AtomicU32,
    taken: AtomicU32,
    /// What is wrong with the head behind those.
    fault: Mutex<Option<Fault>>,
}

impl Activity {
    fn new(all: &Arc<All>, order: Order) -> Self {
        Self {
            all: Arc::clone(all),
            unread: Unread::default(),
            since: AtomicU32::new(all.seconds()),
            in_head: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            order: AtomicU8::new(order as u8),
            waker: AtomicWaker::new(),
            at_rest: AtomicBool::new(true),
            plain: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            fault: Mutex::new(None),
        }
    }

    /// Several requests at once will share it.
    pub(super) fn multiplex(&self) {
        self.multiplexed.store(true, Relaxed);
    }

    /// Bytes came in.
    pub(super) fn read(&self) {
        if self.in_flight.load(Relaxed) > 0 || self.in_head.load(Relaxed) {
            return;
        }
        if !self.multiplexed.load(Relaxed) {
            self.in_head.store(true, Relaxed);
        }
        self.now();
    }

    /// That many heads are plain.
    pub(super) fn judged_plain(&self, heads: u32) {
        self.plain.fetch_add(heads, Relaxed);
    }

    /// The head behind those that are plain is not.
    pub(super) fn judged_faulty(&self, fault: Fault) {
        *self.fault.lock() = Some(fault);
    }

    /// Takes the next head, if it is plain.
    pub(super) fn next_head(&self) -> Result<(), Fault> {
        if self.taken.fetch_add(1, Relaxed) < self.plain.load(Relaxed) {
            return Ok(());
        }
        Err(self.fault.lock().unwrap_or(Fault::Unclear))
    }

    /// Everything that there was has been written.
    pub(super) fn flushed(&self) {
        if !self.owes() {
            self.at_rest.store(true, Relaxed);
        }
    }

    /// Whether what is written now is no answer of ours.
    pub(super) fn is_at_rest(&self) -> bool {
        self.at_rest.load(Relaxed)
    }

    /// There is an answer to take: if it is the only one, its client's time begins now, however long it
    /// was in the making.
    pub(super) fn answered(&self) {
        if self.unread.bytes() == 0 {
            self.now();
        }
    }

    /// Bytes went out.
    pub(super) fn wrote(&self) {
        self.now();
    }

    /// A request is being answered.
    pub(super) fn request_began(&self) {
        self.in_flight.fetch_add(1, Relaxed);
        self.in_head.store(false, Relaxed);
        self.at_rest.store(false, Relaxed);
    }

    /// A request has been answered.
    pub(super) fn request_ended(&self) {
        self.now();
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Whether anything is in flight, or an answer is not written to its end.
    fn owes(&self) -> bool {
        self.in_flight.load(Relaxed) > 0 || self.unread.bytes() > 0
    }

    /// What it was told. The waker is woken when that changes.
    pub(super) fn order(&self, waker: &Waker) -> Order {
        self.waker.register(waker);
        match self.order.load(Relaxed) {
            0 => Order::Serve,
            1 => Order::Finish,
            2 => Order::Late,
            _ => Order::Close,
        }
    }

    /// Says whether that is news.
    fn tell(&self, order: Order) -> bool {
        let news = self.order.fetch_max(order as u8, Relaxed) < order as u8;
        if news {
            self.waker.wake();
        }
        news
    }

    fn now(&self) {
        self.since.store(self.all.seconds(), Relaxed);
    }

    /// Whether its client has taken nothing of an answer for a while.
    fn is_stuck(&self, now: u32) -> bool {
        self.unread.bytes() > 0 && now.saturating_sub(self.since.load(Relaxed)) >= PATIENCE
    }

    /// For how many seconds it has been without a request in flight; `None` if it has one.
    fn idle_for(&self, now: u32) -> Option<u32> {
        let idle = self.in_flight.load(Relaxed) == 0;
        idle.then(|| now.saturating_sub(self.since.load(Relaxed)))
    }

    /// How it is to end, if a time is over.
    fn overdue(&self, now: u32, limits: &Limits) -> Option<Order> {
        if self.unread.any_overdue(&self.all) {
            return Some(Order::Close);
        }
        let (limit, order) = if self.in_head.load(Relaxed) {
            (limits.head, Order::Late)
        } else {
            (limits.idle, Order::Close)
        };
        // Moments are known to a second only, so one is given on top.
        let over = u64::from(self.idle_for(now)?) > limit.as_secs();
        over.then_some(order)
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
        }
    }

    /// A place for one more connection. If all are taken, one that has been idle for long makes room;
    /// if none is found idle, there is no place.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Place> {
        let mut connected = self.connected.lock();
        if connected.all.len() >= self.limits.connections {
            let longest = connected.longest_idle(self.all.seconds())?;
            if let Some(activity) = connected.all.remove(&longest) {
                activity.tell(Order::Close);
            }
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

    /// Counts an answer of so many bytes for as long as it waits for its client. Beyond what all
    /// answers may hold, connections whose clients take nothing make room; `None` if there are none.
    pub(super) fn hold(&self, activity: &Arc<Activity>, bytes: usize) -> Option<Share> {
        let share = Share::new(activity, bytes);
        let beyond = self.all.beyond();
        if beyond == 0 || self.connected.lock().end_stuck(self.all.seconds(), beyond) {
            return Some(share);
        }
        None
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

    /// How many connections have a request in flight.
    #[cfg(test)]
    pub(super) fn busy(&self) -> usize {
        let connected = self.connected.lock();
        connected
            .all
            .values()
            .filter(|one| one.in_flight.load(Relaxed) > 0)
            .count()
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
mod tests {
    use super::*;

    fn registry(connections: usize) -> Arc<Registry> {
        let (head, body) = (Duration::from_secs(10), Duration::from_secs(30));
        let limits = Limits {
            connections,
            head,
            body,
            idle: Duration::from_secs(75),
            answer: Duration::from_secs(60),
            unread: 12_000,
        };
        Arc::new(Registry::new(limits))
    }

    fn order(place: &Place) -> Order {
        place.activity.order(Waker::noop())
    }

    #[tokio::test]
    async fn the_longest_idle_connection_makes_room() {
        let registry = registry(2);
        let first = registry.admit().unwrap();
        registry.close_overdue(5);
        let second = registry.admit().unwrap();
        let _third = registry.admit().unwrap();
        assert_eq!(
            (order(&first), order(&second)),
            (Order::Close, Order::Serve)
        );
    }

    #[tokio::test]
    async fn nobody_makes_room_while_all_are_busy() {
        let registry = registry(1);
        let place = registry.admit().unwrap();
        place.activity.request_began();
        assert!(registry.admit().is_none());
        place.activity.request_ended();
        assert!(registry.admit().is_some());
        assert_eq!(order(&place), Order::Close);
    }

    #[tokio::test]
    async fn a_head_that_drips_ends_sooner_than_silence() {
        let registry = registry(9);
        let (silent, dripping, busy) = (
            registry.admit().unwrap(),
            registry.admit().unwrap(),
            registry.admit().unwrap(),
        );
        dripping.activity.read();
        busy.activity.request_began();
        for second in 1..=11 {
            registry.close_overdue(second);
            dripping.activity.read();
        }
        assert_eq!(order(&dripping), Order::Late);
        assert_eq!(order(&silent), Order::Serve);
        registry.close_overdue(76);
        assert_eq!(order(&silent), Order::Close);
        registry.close_overdue(100_000);
        assert_eq!(order(&busy), Order::Serve);
    }

    #[tokio::test]
    async fn whoever_takes_nothing_makes_room_for_the_answers_of_others() {
        let registry = registry(9);
        let (stuck, reading) = (registry.admit().unwrap(), registry.admit().unwrap());
        let _stuck = registry.hold(&stuck.activity, 6_000).unwrap();
        let reads = registry.hold(&reading.activity, 3_000).unwrap();
        assert!(
            registry.hold(&reading.activity, 4_000).is_none(),
            "nobody has had the time to take its answer"
        );
        registry.close_overdue(PATIENCE);
        reading.activity.wrote();
        assert!(registry.hold(&reading.activity, 4_000).is_some());
        assert_eq!(
            (order(&stuck), order(&reading)),
            (Order::Close, Order::Serve)
        );
        drop(reads);
    }

    #[tokio::test]
    async fn an_answer_that_was_long_in_the_making_is_not_held_against_its_client() {
        let registry = registry(9);
        let (stuck, waiting) = (registry.admit().unwrap(), registry.admit().unwrap());
        waiting.activity.read();
        waiting.activity.request_began();
        registry.close_overdue(PATIENCE * 2);
        let _stuck = registry.hold(&stuck.activity, 9_000).unwrap();
        assert!(registry.hold(&waiting.activity, 9_000).is_none());
        assert_eq!(
            (order(&stuck), order(&waiting)),
            (Order::Serve, Order::Serve)
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_taken_too_slowly_ends_its_connection() {
        let registry = registry(9);
        let (slow, busy) = (registry.admit().unwrap(), registry.admit().unwrap());
        let _answer = registry.hold(&slow.activity, 100).unwrap();
        let mut others = None;
        for second in 1..=121 {
            registry.close_overdue(second);
            // Bytes move all the time.
            slow.activity.wrote();
            busy.activity.wrote();
            others.replace(registry.hold(&busy.activity, 100).unwrap());
            assert!(second > 60 || order(&slow) == Order::Serve, "{second}");
        }
        assert_eq!((order(&slow), order(&busy)), (Order::Close, Order::Serve));
    }

    #[tokio::test]
    async fn whoever_comes_during_the_end_is_told_so() {
        let registry = registry(9);
        let early = registry.admit().unwrap();
        registry.finish_all();
        let late = registry.admit().unwrap();
        assert_eq!(
            (order(&early), order(&late)),
            (Order::Finish, Order::Finish)
        );
        drop((early, late));
        assert!(registry.connected.lock().all.is_empty());
    }
}
