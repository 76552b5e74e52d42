//! The thread that writes: it joins what has queued up into one transaction after the other.

mod copier;
mod doubt;
mod hot;
mod shared;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use copier::Copier;
use doubt::Doubt;
use hot::Care;
pub(crate) use shared::Shared;

use super::accept::Answer;
use super::marks::Marks;
use super::open::{self, OpenError};
use super::queue::{Batch, Settle, Taken};
use super::{Fault, fold, recent_keys};
use crate::{AcceptRefused, Receipt, StoreError, Unwritable};

/// How soon after a failure the writer tries again, and at most how late.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What the writer's thread owns.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// Absent after a failure that put it in doubt, until it could be opened again.
    conn: Option<Connection>,
    copier: Copier,
    marks: Marks,
    batch: Batch,
    /// What came of the batch's accepts, in their order.
    answers: Vec<Answer>,
    /// What a commit that reported a failure may have left behind.
    doubt: Option<Doubt>,
    /// How long to wait before the next try; something is wrong unless it is zero.
    pause: Duration,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        mut conn: Connection,
        shared: Arc<Shared>,
        locked: Arc<[File; 2]>,
    ) -> Result<JoinHandle<()>, OpenError> {
        let mut copier = Copier::start(Arc::clone(&shared), locked)?;
        copier.watch(&mut conn)?;
        shared.note_log();
        let writer = Self {
            shared,
            conn: Some(conn),
            copier,
            marks: Marks::default(),
            batch: Batch::default(),
            answers: Vec::new(),
            doubt: None,
            pause: Duration::ZERO,
        };
        let thread = thread::Builder::new().name("store-write".into());
        thread
            .spawn(move || writer.run())
            .map_err(OpenError::Thread)
    }

    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _end = shared.activity.writer.until_its_end();
        let mut last = 0;
        loop {
            if self.pause.is_zero() {
                if self.shared.queue.take(&mut self.batch, last) == Taken::Closed {
                    break;
                }
            } else {
                self.shared.queue.pause(self.pause);
                self.shared.queue.take_now(&mut self.batch);
            }
            last = self.batch.len();
            shared.activity.writer.begin();
            self.write_batch();
            shared.activity.writer.rest();
            if !self.pause.is_zero() && self.shared.queue.is_closing() {
                break;
            }
        }
        drop(self.copier);
        if let Some(conn) = &self.conn {
            // What is in the log is safe there; this only leaves a tidy file behind.
            let _busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
        }
    }

    fn write_batch(&mut self) {
        let started = self.shared.clock.steady();
        let writes = self.batch.len();
        match self.transact() {
            Ok(()) => {
                let took = self.shared.clock.steady().since(started);
                self.shared.meter.committed(writes, took);
                self.committed();
                if let Some(conn) = &self.conn {
                    self.copier.after_commit(conn);
                }
            }
            Err(fault) => self.give_up(fault),
        }
    }

    fn transact(&mut self) -> Result<(), Fault> {
        if let Err(moved) = self.shared.check_place() {
            self.rescue(&moved);
            return Err(moved);
        }
        if self.conn.is_none() {
            let mut conn = open::writer(&self.shared.path)?;
            self.copier.watch(&mut conn)?;
            self.conn = Some(conn);
            self.shared.note_log();
        }
        if let Err(fault) = self.write_hot(Care::None) {
            if fault.is_of_the_file() {
                return Err(fault);
            }
            tracing::error!(
                ?fault,
                "a write failed; its transaction is repeated one by one"
            );
            self.roll_back();
            self.write_hot(Care::EachWrite)?;
        }
        let conn = self.conn.as_ref().ok_or_else(lost)?;
        for call in &mut self.batch.calls {
            call.run(conn)?;
        }
        let watermarks = &self.shared.watermarks;
        if watermarks.due() {
            fold::step(conn, watermarks, self.shared.clock.now())?;
        }
        if self.shared.recent_keys.due() {
            recent_keys::step(conn, &self.shared.recent_keys)?;
        }
        Ok(self.shared.commit(conn)?)
    }

    /// Copies a log that has gone into the database, where it will be found: the connection still has it.
    fn rescue(&self, moved: &Fault) {
        if let (Fault::LogMoved, Some(conn)) = (moved, &self.conn) {
            let copied = conn.query_row("PRAGMA wal_checkpoint(FULL)", (), |_| Ok(()));
            tracing::error!(
                ?copied,
                "the write-ahead log was moved or removed; what was in it was copied into the database"
            );
        }
    }

    fn committed(&mut self) {
        self.marks.keep();
        self.doubt = None;
        self.pause = Duration::ZERO;
        self.shared.recovered();
        let mut receipts = Vec::with_capacity(self.batch.settles.len() + self.batch.accepts.len());
        receipts.extend(self.batch.settles.drain(..).map(|settle| match settle {
            Settle::Outcome(outcome) => Receipt::Outcome {
                delivery: outcome.attempt.delivery,
                fresh: outcome.fresh,
                settled: outcome.settled,
            },
            Settle::Spill(spill) => Receipt::Spill(spill),
        }));
        let accepts = self.batch.accepts.drain(..).zip(self.answers.drain(..));
        receipts.extend(accepts.map(|(accept, answer)| Receipt::Accept(accept, answer)));
        self.tell(receipts);
        for call in self.batch.calls.drain(..) {
            call.answer(Ok(()));
        }
    }

    /// Ends a transaction that failed: messages and calls are refused, outcomes are kept.
    fn give_up(&mut self, fault: Fault) {
        let untouched = fault.is_full() || matches!(fault, Fault::LogMoved);
        let sound = untouched && self.doubt.is_none();
        if !(self.roll_back() && sound) {
            // What a failed sync has left behind is not known, so nothing is assumed.
            self.conn = None;
            self.shared.forget_log();
            self.doubt
                .get_or_insert_default()
                .add(&self.batch.accepts, &self.answers);
        }
        let reason = Unwritable::from(&fault);
        let error = StoreError::from(fault);
        self.shared.failed(reason, &error);
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.answers.clear();
        self.shared.queue.put_back(&mut self.batch.settles);
        let refused = || Err(AcceptRefused::Store(error.clone()));
        let accepts = self.batch.accepts.drain(..);
        let receipts = accepts
            .map(|accept| Receipt::Accept(accept, refused()))
            .collect();
        self.tell(receipts);
        for call in self.batch.calls.drain(..) {
            call.answer(Err(error.clone()));
        }
    }

    fn roll_back(&mut self) -> bool {
        self.marks.undo_to(0);
        self.shared.watermarks.forget();
        self.shared.recent_keys.forget();
        let Some(conn) = &self.conn else { return false };
        conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok()
    }

    fn tell(&self, receipts: Vec<Receipt>) {
        let Some(listener) = self.shared.listener.get() else {
            return;
        };
        if receipts.is_empty() {
            return;
        }
        if catch_unwind(AssertUnwindSafe(|| listener(receipts))).is_err() {
            tracing::error!("whoever listens for receipts has panicked");
        }
    }
}

fn lost() -> Fault {
    StoreError::Unavailable("no connection".into()).into()
}
