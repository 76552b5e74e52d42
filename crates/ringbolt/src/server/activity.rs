//! What one connection is doing, noted in a few atomic words, and what it is told.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use super::Limits;
use super::judge::Fault;
use super::unread::{All, Unread};

/// How many bytes a client has to take before what it has not taken weighs as little as at first.
pub(super) const PACE: usize = 64 << 10;

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
    /// Whose token its last request came with.
    holder: AtomicU64,
    /// What its client has taken, and since when: both begin again at [`PACE`].
    taking: AtomicUsize,
    taking_since: AtomicU32,
    /// Since when it is doing it.
    since: AtomicU32,
    /// Whether a head has begun to arrive.
    in_head: AtomicBool,
    /// Whether several requests share it, so that bytes say nothing about heads.
    multiplexed: AtomicBool,
    /// Requests that have not been answered.
    in_flight: AtomicU32,
    /// Those of them whose bodies have not arrived, and are waited for.
    incomplete: AtomicU32,
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
    pub(super) fn new(all: &Arc<All>, order: Order) -> Self {
        Self {
            all: Arc::clone(all),
            unread: Unread::default(),
            holder: AtomicU64::new(0),
            taking: AtomicUsize::new(0),
            taking_since: AtomicU32::new(all.seconds()),
            since: AtomicU32::new(all.seconds()),
            in_head: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            incomplete: AtomicU32::new(0),
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
            self.take_anew();
        }
    }

    /// So many bytes went out.
    pub(super) fn wrote(&self, bytes: usize) {
        self.now();
        if self.taking.fetch_add(bytes, Relaxed) + bytes >= PACE {
            self.take_anew();
        }
    }

    fn take_anew(&self) {
        self.taking.store(0, Relaxed);
        self.taking_since.store(self.all.seconds(), Relaxed);
    }

    /// A request came with this one's token.
    pub(super) fn asked_by(&self, holder: u64) {
        self.holder.store(holder, Relaxed);
    }

    pub(super) fn holder(&self) -> u64 {
        self.holder.load(Relaxed)
    }

    /// What its client has not taken, times the seconds in which it took less than [`PACE`] of it.
    pub(super) fn weight(&self, now: u32) -> u64 {
        let seconds = now.saturating_sub(self.taking_since.load(Relaxed));
        let bytes = u64::try_from(self.unread.bytes()).unwrap_or(u64::MAX);
        bytes.saturating_mul(u64::from(seconds) + 1)
    }

    /// Whether it was told to end now.
    pub(super) fn is_ending(&self) -> bool {
        self.order.load(Relaxed) >= Order::Late as u8
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

    /// The body of a request is waited for. That it comes in drops makes the wait no shorter.
    pub(super) fn body_awaited(&self) {
        self.incomplete.fetch_add(1, Relaxed);
    }

    /// More of it has come, or nobody waits for it any more.
    pub(super) fn body_went_on(&self) {
        self.incomplete.fetch_sub(1, Relaxed);
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
    pub(super) fn tell(&self, order: Order) -> bool {
        let news = self.order.fetch_max(order as u8, Relaxed) < order as u8;
        if news {
            self.waker.wake();
        }
        news
    }

    fn now(&self) {
        self.since.store(self.all.seconds(), Relaxed);
    }

    /// Whether it has a request in flight.
    #[cfg(test)]
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
    }

    /// For how many seconds it has been without a request in flight; `None` if it has one.
    pub(super) fn idle_for(&self, now: u32) -> Option<u32> {
        let idle = self.in_flight.load(Relaxed) == 0;
        idle.then(|| now.saturating_sub(self.since.load(Relaxed)))
    }

    /// For how many seconds there has been nothing to answer, be it that no request is in flight or that
    /// none of them has come to its end; `None` if there is something.
    pub(super) fn spare_for(&self, now: u32) -> Option<u32> {
        let spare = self.in_flight.load(Relaxed) <= self.incomplete.load(Relaxed);
        spare.then(|| now.saturating_sub(self.since.load(Relaxed)))
    }

    /// How it is to end, if a time is over.
    pub(super) fn overdue(&self, now: u32, limits: &Limits) -> Option<Order> {
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
