//! The thread that writes: it joins what has queued up into one transaction after the other.

mod shared;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

pub(crate) use shared::Shared;

use super::Fault;
use super::open::{self, OpenError};
use super::queue::{Batch, Taken};
use crate::StoreError;

/// How soon after a failure the writer tries again, and at most how late.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What the writer's thread owns.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// Absent after a failure that put it in doubt, until it could be opened again.
    conn: Option<Connection>,
    batch: Batch,
    /// How long to wait before the next try; something is wrong unless it is zero.
    pause: Duration,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        conn: Connection,
        shared: Arc<Shared>,
    ) -> Result<JoinHandle<()>, OpenError> {
        let writer = Self {
            shared,
            conn: Some(conn),
            batch: Batch::default(),
            pause: Duration::ZERO,
        };
        let thread = thread::Builder::new().name("store-write".into());
        thread
            .spawn(move || writer.run())
            .map_err(OpenError::Thread)
    }

    fn run(mut self) {
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
            self.write_batch();
            if !self.pause.is_zero() && self.shared.queue.is_closing() {
                break;
            }
        }
        if let Some(conn) = &self.conn {
            // What is in the log is safe there; this only leaves a tidy file behind.
            let _busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
        }
    }

    fn write_batch(&mut self) {
        let started = self.shared.clock.steady();
        let result = self.transact();
        match result {
            Ok(()) => {
                let took = self.shared.clock.steady().since(started);
                self.shared.meter.committed(self.batch.len(), took);
                self.pause = Duration::ZERO;
                self.shared.recovered();
                for call in self.batch.calls.drain(..) {
                    call.answer(Ok(()));
                }
            }
            Err(fault) => self.give_up(fault),
        }
    }

    fn transact(&mut self) -> Result<(), Fault> {
        let conn = match &self.conn {
            Some(conn) => conn,
            None => self.conn.insert(open::writer(&self.shared.path)?),
        };
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        for call in &mut self.batch.calls {
            call.run(conn)?;
        }
        Ok(self.shared.commit(conn)?)
    }

    fn give_up(&mut self, fault: Fault) {
        let sound = fault.is_full() && self.roll_back();
        if !sound {
            self.conn = None;
        }
        let error = StoreError::from(fault);
        self.shared.failed(&error);
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        for call in self.batch.calls.drain(..) {
            call.answer(Err(error.clone()));
        }
        self.shared.queue.put_back(&mut self.batch.settles);
    }

    fn roll_back(&self) -> bool {
        let Some(conn) = &self.conn else { return false };
        conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok()
    }
}
