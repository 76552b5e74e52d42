//! What answers hold until their clients have taken them: counted in all, and for each connection by age.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::activity::Activity;

/// What an answer holds besides its body: its head, and the books kept on it.
const BESIDE: usize = 1024;
/// How many periods of answers are told apart.
const PERIODS: u32 = 4;

/// Of all connections.
pub(super) struct All {
    bytes: AtomicUsize,
    most: usize,
    /// Tells those who wait that there is room again.
    pub(super) room: Notify,
    /// Seconds since the start, as the sweep last saw them.
    seconds: AtomicU32,
    /// Answers are told apart by the period, of so many seconds, that they were made in.
    period: u32,
}

impl All {
    pub(super) fn new(most: usize, limit: Duration) -> Self {
        let period = limit.as_secs().div_ceil(2).max(1);
        Self {
            bytes: AtomicUsize::new(0),
            most,
            room: Notify::new(),
            seconds: AtomicU32::new(0),
            period: u32::try_from(period).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn seconds(&self) -> u32 {
        self.seconds.load(Relaxed)
    }

    pub(super) fn set_seconds(&self, now: u32) {
        self.seconds.store(now, Relaxed);
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// How many bytes there are too many.
    pub(super) fn beyond(&self) -> usize {
        self.bytes.load(Relaxed).saturating_sub(self.most)
    }

    /// How many bytes there are too many even where what had an effect has had its answer.
    pub(super) fn far_beyond(&self) -> usize {
        self.beyond().saturating_sub(self.most)
    }

    fn give_back(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Relaxed);
        if before > self.most && before - bytes <= self.most {
            self.room.notify_waiters();
        }
    }

    fn slot(&self) -> usize {
        (self.seconds() / self.period % PERIODS) as usize
    }
}

/// Of one connection: bytes by the period that their answers were made in.
#[derive(Default)]
pub(super) struct Unread([AtomicUsize; PERIODS as usize]);

impl Unread {
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|slot| slot.load(Relaxed)).sum()
    }

    /// Whether an answer is older than two periods, which are the limit. The slot of three periods ago
    /// is the one that the next period will use.
    pub(super) fn any_overdue(&self, all: &All) -> bool {
        let oldest = (all.slot() + 1) % self.0.len();
        self.0[oldest].load(Relaxed) > 0
    }
}

/// What an answer, or a piece of one, holds; given back when this is dropped.
pub(super) struct Share {
    activity: Arc<Activity>,
    slot: usize,
    bytes: usize,
    /// The turn of a long answer.
    pub(super) turn: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Counts an answer with a body of so many bytes.
    pub(super) fn new(activity: &Arc<Activity>, bytes: usize) -> Self {
        let slot = activity.all.slot();
        let bytes = bytes.saturating_add(BESIDE);
        activity.answered();
        activity.all.bytes.fetch_add(bytes, Relaxed);
        activity.unread.0[slot].fetch_add(bytes, Relaxed);
        Self {
            activity: Arc::clone(activity),
            slot,
            bytes,
            turn: None,
        }
    }

    /// The share of a piece of the answer; the last one takes the turn with it.
    pub(super) fn part(&mut self, bytes: usize, is_last: bool) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            activity: Arc::clone(&self.activity),
            slot: self.slot,
            bytes,
            turn: self.turn.take_if(|_| is_last),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.activity.unread.0[self.slot].fetch_sub(self.bytes, Relaxed);
        self.activity.all.give_back(self.bytes);
    }
}
