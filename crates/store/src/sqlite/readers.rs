//! The threads that read, each with a connection of its own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::Fault;
use super::open::{self, OpenError};
use crate::StoreError;

/// How many reads may wait for a thread; more wait for those.
const READS_WAITING: usize = 256;

/// A read; says whether the connection is to be replaced.
type Read = Box<dyn FnOnce(&Connection) -> bool + Send>;

#[derive(Debug)]
pub(super) struct Readers {
    line: Arc<Line>,
    waiting: Semaphore,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Line {
    state: Mutex<State>,
    wake: Condvar,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

#[derive(Default)]
struct State {
    reads: VecDeque<Read>,
    /// How many threads there are that have not ended, and how many of them wait for a read.
    threads: usize,
    resting: usize,
    closing: bool,
}

impl Readers {
    /// Starts `count` threads (at least one) that read the file.
    pub(super) fn start(path: &Path, count: usize) -> Result<Self, OpenError> {
        let line = Arc::<Line>::default();
        line.state.lock().threads = count.max(1);
        let start = |number: usize| {
            let (line, path) = (Arc::clone(&line), path.to_owned());
            thread::Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || {
                    let _end = Present(&line);
                    serve(&line, &path);
                })
                .map_err(OpenError::Thread)
        };
        let threads = (0..count.max(1)).map(start).collect::<Result<_, _>>()?;
        let waiting = Semaphore::new(READS_WAITING);
        Ok(Self {
            line,
            waiting,
            threads: Mutex::new(threads),
        })
    }

    /// Runs `work` in a transaction on one of the threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Unavailable("the store is closed".into());
        let _permit = self.waiting.acquire().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let read: Read = Box::new(move |conn| {
            let result = within_transaction(conn, work);
            let broken = result.as_ref().is_err_and(Fault::is_of_the_file);
            // Whoever asked may have gone; that is no failure of ours.
            let _gone = answer.send(result.map_err(StoreError::from));
            broken
        });
        self.line.push(read);
        answered.await.map_err(|_| closed())?
    }

    /// What the threads are doing, in words.
    pub(super) fn activity(&self) -> String {
        let state = self.line.state.lock();
        let (threads, waiting) = (state.threads, state.reads.len());
        if threads == 0 {
            return "stopped".into();
        }
        let reading = threads - state.resting;
        format!("{reading} of {threads} threads read, {waiting} reads wait")
    }

    /// Ends the threads after what they are doing.
    pub(super) fn close(&self) {
        {
            let mut state = self.line.state.lock();
            state.closing = true;
            state.reads.clear();
        }
        self.line.wake.notify_all();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reader of the store has panicked");
            }
        }
    }
}

impl Line {
    fn push(&self, read: Read) {
        let mut state = self.state.lock();
        if !state.closing {
            state.reads.push_back(read);
            self.wake.notify_one();
        }
    }

    fn next(&self) -> Option<Read> {
        let mut state = self.state.lock();
        loop {
            if state.closing {
                return None;
            }
            if let Some(read) = state.reads.pop_front() {
                return Some(read);
            }
            state.resting += 1;
            self.wake.wait(&mut state);
            state.resting -= 1;
        }
    }
}

/// That a thread is there; when this is dropped it has ended, whichever way.
struct Present<'a>(&'a Line);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.state.lock().threads -= 1;
    }
}

fn serve(line: &Line, path: &Path) {
    let mut held = None;
    while let Some(read) = line.next() {
        let conn = match held.take().map_or_else(|| open::reader(path), Ok) {
            Ok(conn) => conn,
            Err(error) => {
                // The read is dropped, and with it the sender of its answer.
                tracing::error!(%error, "a reader of the store cannot open the database");
                continue;
            }
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&conn)));
        held = matches!(outcome, Ok(false)).then_some(conn);
    }
}

fn within_transaction<T>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    conn.prepare_cached("BEGIN")?.execute(())?;
    let result = work(conn);
    conn.prepare_cached("COMMIT")?.execute(())?;
    result
}
