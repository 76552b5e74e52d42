//! Copies the write-ahead log into the database beside the writer, so that messages wait for no copying.
//!
//! SQLite starts the log anew only once all of it has been copied while nobody writes. So a thread of its own
//! copies nearly all, and the writer, between two transactions, the little that has come since.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use super::Shared;
use crate::sqlite::Fault;
use crate::sqlite::open::{self, OpenError};

/// Pages of log after which it is copied.
const ENOUGH: u32 = 1000;
/// After how many pages more that is tried again, where a reader stood in the way.
const MORE: u32 = 250;
/// So few pages are left to the writer.
const REST: i64 = 100;
/// How often the thread copies what came meanwhile, before it leaves that to the writer.
const PASSES: usize = 4;

/// Who is to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nobody.
    None,
    /// The thread.
    Thread,
    /// The writer, what the thread has left.
    Writer,
    /// Nobody any more.
    Closed,
}

/// What the writer and the thread share.
struct Turns {
    turn: Mutex<Turn>,
    wake: Condvar,
}

impl Turns {
    fn pass_to(&self, next: Turn) {
        let mut turn = self.turn.lock();
        if *turn != Turn::Closed {
            *turn = next;
        }
        self.wake.notify_one();
    }

    /// Waits for the thread's turn; false if there will be none.
    fn wait(&self) -> bool {
        let mut turn = self.turn.lock();
        loop {
            match *turn {
                Turn::Thread => return true,
                Turn::Closed => return false,
                Turn::None | Turn::Writer => self.wake.wait(&mut turn),
            }
        }
    }
}

/// The writer's end of it.
pub(super) struct Copier {
    turns: Arc<Turns>,
    thread: Option<JoinHandle<()>>,
    /// How many pages the log has, as of the last commit.
    pages: Arc<AtomicU32>,
    /// At how many of them it is copied next.
    next: u32,
}

impl Copier {
    /// Starts the thread. `locked` is the open database, second of the two.
    pub(super) fn start(shared: Arc<Shared>, locked: Arc<[File; 2]>) -> Result<Self, OpenError> {
        let turns = Arc::new(Turns {
            turn: Mutex::new(Turn::None),
            wake: Condvar::new(),
        });
        let theirs = Arc::clone(&turns);
        let thread = thread::Builder::new().name("store-copy".into());
        let thread = thread
            .spawn(move || run(&theirs, &shared, &locked[1]))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            turns,
            thread: Some(thread),
            pages: Arc::default(),
            next: ENOUGH,
        })
    }

    /// Keeps an eye on what a writing connection commits, instead of SQLite's own copying at commits.
    pub(super) fn watch(&mut self, conn: &mut Connection) -> Result<(), rusqlite::Error> {
        let pages = Arc::clone(&self.pages);
        conn.wal_hook(Some(move |_: &mut _, count: i32| {
            pages.store(count.unsigned_abs(), Relaxed);
            Ok(())
        }))
    }

    /// Between two transactions: has the log copied if it is long, or copies the rest of it.
    pub(super) fn after_commit(&mut self, conn: &Connection) {
        let pages = self.pages.load(Relaxed);
        if pages < self.next {
            // It may have begun anew.
            if pages < ENOUGH {
                self.next = ENOUGH;
            }
            return;
        }
        let turn = *self.turns.turn.lock();
        match turn {
            Turn::None => self.turns.pass_to(Turn::Thread),
            Turn::Writer => {
                let _rest = copy(conn);
                self.next = pages.saturating_add(MORE);
                self.turns.pass_to(Turn::None);
            }
            Turn::Thread | Turn::Closed => {}
        }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.turns.pass_to(Turn::Closed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that copies the store's log has panicked");
        }
    }
}

fn run(turns: &Turns, shared: &Shared, file: &File) {
    let _end = shared.activity.copier.until_its_end();
    while turns.wait() {
        shared.activity.copier.begin();
        if let Err(fault) = passes(shared, file) {
            tracing::debug!(?fault, "the log was not copied");
        }
        shared.activity.copier.rest();
        turns.pass_to(Turn::Writer);
    }
}

fn passes(shared: &Shared, file: &File) -> Result<(), Fault> {
    shared.check_place()?;
    let conn = open::writer(&shared.path)?;
    for _ in 0..PASSES {
        let left = copy(&conn)?;
        // SQLite leaves this to whoever copies the last page.
        if let Err(error) = file.sync_data() {
            tracing::error!(%error, "the database file cannot be synced");
        }
        if left <= REST {
            break;
        }
    }
    Ok(())
}

/// Copies what no reader stands in the way of; says how many pages came meanwhile or are left.
fn copy(conn: &Connection) -> Result<i64, rusqlite::Error> {
    conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
        .query_row((), |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
}
