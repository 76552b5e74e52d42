//! What waits for the writer: outcomes, messages to accept, and calls, each in order.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::Fault;
use crate::room::{Load, Room};
use crate::{Accept, Outcome, Spill, StoreError, Write};

/// A transaction takes no more rows than this, give or take one write.
const BATCH_ROWS: usize = 2048;
/// Of these, so many are for messages, however many outcomes wait.
const ACCEPT_ROWS: usize = BATCH_ROWS / 4;
/// A transaction takes no more payload than this, give or take one message.
const BATCH_BYTES: usize = 4 << 20;
/// A transaction takes no more calls than this.
const BATCH_CALLS: usize = 64;
/// After a transaction with more writes than this, work is streaming.
const SMALL: usize = 4;
/// While work streams, this much is worth a transaction at once.
const ENOUGH: usize = 256;
/// How long a transaction waits for more while work streams.
const LINGER: Duration = Duration::from_millis(1);

/// What became of deliveries: it goes before what asks for new ones.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are outcomes")]
pub(super) enum Settle {
    Outcome(Outcome),
    Spill(Spill),
}

/// Work on the writing connection that somebody waits for.
pub(super) trait Task: Send {
    /// Does it in a savepoint. An error means that the transaction is lost.
    fn run(&mut self, conn: &Connection) -> Result<(), Fault>;
    /// Answers, once the transaction has ended.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// The work of [`super::SqliteStore::write`].
pub(super) struct Call<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Call<T, F> {
    pub(super) fn new(work: F, answer: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self {
            work: Some(work),
            result: None,
            answer,
        }
    }
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, Fault> + Send> Task for Call<T, F> {
    fn run(&mut self, conn: &Connection) -> Result<(), Fault> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        conn.prepare_cached("SAVEPOINT call")?.execute(())?;
        let result = catch_unwind(AssertUnwindSafe(|| work(conn)))
            .unwrap_or_else(|_| Err(StoreError::Unavailable("a panic, see the log".into()).into()));
        if let Err(fault) = result {
            if fault.is_of_the_file() || conn.is_autocommit() {
                return Err(fault);
            }
            conn.prepare_cached("ROLLBACK TO call")?.execute(())?;
            self.result = Some(Err(fault.into()));
        } else {
            self.result = Some(result.map_err(StoreError::from));
        }
        conn.prepare_cached("RELEASE call")?.execute(())?;
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { result, answer, .. } = *self;
        let unfinished = || Err(StoreError::Unavailable("the work was not done".into()));
        let result = committed.and_then(|()| result.unwrap_or_else(unfinished));
        // Whoever asked may have gone; that is no failure of ours.
        let _gone = answer.send(result);
    }
}

/// What goes into one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) settles: Vec<Settle>,
    pub(super) accepts: Vec<Accept>,
    pub(super) calls: Vec<Box<dyn Task>>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.settles.len() + self.accepts.len() + self.calls.len()
    }
}

/// What the queue has for the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// A batch, which may be empty if there was a time to wait until.
    Batch,
    /// Nothing any more: it was closed, and is empty.
    Closed,
}

/// The queue before the writer.
pub(super) struct Queue {
    line: Mutex<Line>,
    wake: Condvar,
}

struct Line {
    settles: VecDeque<Settle>,
    accepts: Room,
    calls: VecDeque<Box<dyn Task>>,
    /// How much must wait for the writer to be woken; it is not waiting if 0.
    wake_at: usize,
    closing: bool,
}

impl Line {
    fn len(&self) -> usize {
        self.settles.len() + self.accepts.len() + self.calls.len()
    }
}

impl Queue {
    pub(super) fn new(max_accepts: usize, max_bytes: usize) -> Self {
        Self {
            line: Mutex::new(Line {
                settles: VecDeque::new(),
                accepts: Room::new(max_accepts, max_bytes),
                calls: VecDeque::new(),
                wake_at: 0,
                closing: false,
            }),
            wake: Condvar::new(),
        }
    }

    /// Queues a write of the hot path, or gives it back.
    pub(super) fn submit(&self, write: Write) -> Result<(), Box<Write>> {
        let mut line = self.line.lock();
        match write {
            Write::Accept(accept) => {
                if line.closing {
                    return Err(Box::new(Write::Accept(accept)));
                }
                line.accepts.enter(accept)?;
            }
            Write::Outcome(outcome) => line.settles.push_back(Settle::Outcome(outcome)),
            Write::Spill(spill) => line.settles.push_back(Settle::Spill(spill)),
        }
        self.wake(&mut line);
        Ok(())
    }

    /// Queues a call; one that comes too late is dropped, and with it the sender of its answer.
    pub(super) fn call(&self, task: Box<dyn Task>) {
        let mut line = self.line.lock();
        if !line.closing {
            line.calls.push_back(task);
            self.wake(&mut line);
        }
    }

    /// Puts back what could not be written, in front.
    pub(super) fn put_back(&self, settles: &mut Vec<Settle>) {
        let mut line = self.line.lock();
        for settle in settles.drain(..).rev() {
            line.settles.push_front(settle);
        }
    }

    /// Lets the writer end when it has written everything.
    pub(super) fn close(&self) {
        self.line.lock().closing = true;
        self.wake.notify_all();
    }

    /// Whether it was closed.
    pub(super) fn is_closing(&self) -> bool {
        self.line.lock().closing
    }

    /// Waits `pause` unless the queue is closed, whatever comes in.
    pub(super) fn pause(&self, pause: Duration) {
        let mut line = self.line.lock();
        if !line.closing {
            self.wake.wait_for(&mut line, pause);
        }
    }

    /// Waits for work and takes what fits into one transaction. `last` is how many writes the last one
    /// had: if work is streaming, it waits a little for more.
    pub(super) fn take(&self, batch: &mut Batch, last: usize) -> Taken {
        let mut line = self.line.lock();
        while line.len() == 0 {
            if line.closing {
                return Taken::Closed;
            }
            line.wake_at = 1;
            self.wake.wait(&mut line);
        }
        let enough = last.min(ENOUGH);
        if last > SMALL && line.len() < enough && !line.closing {
            line.wake_at = enough;
            self.wake.wait_for(&mut line, LINGER);
        }
        line.wake_at = 0;
        line.drain_into(batch);
        Taken::Batch
    }

    /// Takes what fits into one transaction, without waiting.
    pub(super) fn take_now(&self, batch: &mut Batch) {
        self.line.lock().drain_into(batch);
    }

    fn wake(&self, line: &mut Line) {
        if line.wake_at > 0 && line.len() >= line.wake_at {
            line.wake_at = 0;
            self.wake.notify_one();
        }
    }
}

impl Line {
    fn drain_into(&mut self, batch: &mut Batch) {
        let kept_free = if self.accepts.len() > 0 {
            ACCEPT_ROWS
        } else {
            0
        };
        let mut rows = 0;
        while rows < BATCH_ROWS - kept_free
            && let Some(settle) = self.settles.pop_front()
        {
            rows += match &settle {
                Settle::Outcome(_) => 1,
                Settle::Spill(spill) => spill.deliveries.len(),
            };
            batch.settles.push(settle);
        }
        let left = Load {
            messages: usize::MAX,
            rows: BATCH_ROWS.saturating_sub(rows).max(kept_free),
            bytes: BATCH_BYTES,
        };
        self.accepts.take(left, &mut batch.accepts);
        let calls = self.calls.len().min(BATCH_CALLS);
        batch.calls.extend(self.calls.drain(..calls));
    }
}
