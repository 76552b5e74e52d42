//! What waits for those that accept and for the one that records outcomes, in order.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::room::{Load, Room};
use crate::{Accept, Outcome, Spill, Write};

/// A transaction takes no more rows than this, give or take one write.
const BATCH_ROWS: usize = 2048;
/// A transaction takes no more payload than this, give or take one message.
const BATCH_BYTES: usize = 4 << 20;
/// After a transaction with more writes than this, work is streaming.
const SMALL: usize = 4;
/// While work streams, this much is worth a transaction at once.
const ENOUGH: usize = 256;
/// How long a transaction waits for more while work streams.
const LINGER: Duration = Duration::from_millis(1);

/// What became of deliveries.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are outcomes")]
pub(super) enum Settle {
    Outcome(Outcome),
    Spill(Spill),
}

impl Settle {
    fn rows(&self) -> usize {
        match self {
            Self::Outcome(_) => 1,
            Self::Spill(spill) => spill.deliveries.len(),
        }
    }
}

/// The two lines.
pub(super) struct Lines {
    waiting: Mutex<Waiting>,
    accepts: Notify,
    settles: Notify,
}

struct Waiting {
    accepts: Room,
    settles: VecDeque<Settle>,
    closing: bool,
    /// The number of the next batch of messages.
    batch: u64,
}

/// Messages that go into one transaction, and which batch of them it is.
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) accepts: Vec<Accept>,
}

impl Lines {
    /// With room for so many messages, and so many bytes.
    pub(super) fn new(messages: usize, bytes: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                accepts: Room::new(messages, bytes),
                settles: VecDeque::new(),
                closing: false,
                batch: 0,
            }),
            accepts: Notify::new(),
            settles: Notify::new(),
        }
    }

    /// Queues a write, or gives it back.
    pub(super) fn submit(&self, write: Write) -> Result<(), Box<Write>> {
        let mut waiting = self.waiting.lock();
        match write {
            Write::Accept(accept) if waiting.closing => Err(Box::new(Write::Accept(accept))),
            Write::Accept(accept) => {
                waiting.accepts.enter(accept)?;
                drop(waiting);
                self.accepts.notify_one();
                Ok(())
            }
            Write::Outcome(outcome) => {
                waiting.settles.push_back(Settle::Outcome(outcome));
                drop(waiting);
                self.settles.notify_one();
                Ok(())
            }
            Write::Spill(spill) => {
                waiting.settles.push_back(Settle::Spill(spill));
                drop(waiting);
                self.settles.notify_one();
                Ok(())
            }
        }
    }

    /// Lets the writers end when they have written everything.
    pub(super) fn close(&self) {
        self.waiting.lock().closing = true;
        self.wake();
    }

    /// Lets the writers look again.
    pub(super) fn wake(&self) {
        self.accepts.notify_one();
        self.settles.notify_one();
    }

    /// Whether nothing new is taken.
    pub(super) fn is_closing(&self) -> bool {
        self.waiting.lock().closing
    }

    /// Waits for messages, and takes what fits into one transaction; `None` at the end. `last` is how many the last one had:
    /// if work is streaming, it waits a little for more.
    pub(super) async fn accepts(&self, last: usize) -> Option<Batch> {
        let count = |waiting: &Waiting| waiting.accepts.len();
        self.fill(&self.accepts, count, last).await?;
        Some(self.accepts_now())
    }

    /// Takes messages that fit into one transaction, without waiting.
    pub(super) fn accepts_now(&self) -> Batch {
        let most = Load {
            messages: usize::MAX,
            rows: BATCH_ROWS,
            bytes: BATCH_BYTES,
        };
        let mut accepts = Vec::new();
        let mut waiting = self.waiting.lock();
        waiting.accepts.take(most, &mut accepts);
        let number = waiting.batch;
        waiting.batch += 1;
        if waiting.accepts.len() > 0 || waiting.closing {
            // For the other one.
            self.accepts.notify_one();
        }
        Batch { number, accepts }
    }

    /// The same of outcomes and spills.
    pub(super) async fn settles(&self, last: usize) -> Option<Vec<Settle>> {
        let count = |waiting: &Waiting| waiting.settles.len();
        self.fill(&self.settles, count, last).await?;
        let mut waiting = self.waiting.lock();
        let (mut batch, mut rows) = (Vec::new(), 0);
        while rows < BATCH_ROWS
            && let Some(settle) = waiting.settles.pop_front()
        {
            rows += settle.rows();
            batch.push(settle);
        }
        Some(batch)
    }

    /// Waits until something waits, and a little longer while work streams; `None` if nothing will.
    async fn fill(
        &self,
        wake: &Notify,
        count: impl Fn(&Waiting) -> usize,
        last: usize,
    ) -> Option<()> {
        let there = || {
            let waiting = self.waiting.lock();
            (count(&waiting), waiting.closing)
        };
        loop {
            match there() {
                (0, true) => {
                    // The other one has to hear of it as well.
                    wake.notify_one();
                    return None;
                }
                (0, false) => wake.notified().await,
                _ => break,
            }
        }
        let enough = last.min(ENOUGH);
        if last > SMALL && there() < (enough, true) {
            let filled = async {
                while there() < (enough, false) {
                    wake.notified().await;
                }
            };
            let _late = timeout(LINGER, filled).await;
        }
        Some(())
    }
}
