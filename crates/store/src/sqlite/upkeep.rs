//! Keeping the file in order: folding, retention, free pages; copies, sizes, health.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use parking_lot::Mutex;
use ringbolt_model::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::place::log_of;
use super::reencrypt::{self, Place};
use super::retention::Retention;
use super::retention::budget::Budget;
use super::retention::large;
use super::retention::stale::{self, StaleAnswers};
use super::{SqliteStore, backup, fold, recent_keys};
use crate::{Health, Sizes, StoreError, Tidied, Upkeep, Working};

/// Free pages are given back to the system beyond this many, and beyond this part of the file; fewer
/// are soon needed again.
const FREE_PAGES: i64 = 2_000;
const FREE_PART: i64 = 8;
/// How many pages are given back in a step at most.
const PAGES: usize = 64;

pub(in crate::sqlite) const LARGEST: &str = "SELECT max( \
    ifnull((SELECT max(id) FROM application), 0), ifnull((SELECT max(id) FROM endpoint), 0), \
    ifnull((SELECT max(id) FROM message), 0), ifnull((SELECT max(id) FROM attempt), 0), \
    ifnull((SELECT max(id) FROM api_key), 0), \
    (SELECT max(message_id, attempt_id) FROM folded WHERE one = 1))";

/// Where the walks of tidying are.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Tidying {
    retention: Mutex<Retention>,
    /// The message whose payload the next step of retention lets go of, or a part of it.
    pub(in crate::sqlite) large: Mutex<Option<i64>>,
    stale: Mutex<StaleAnswers>,
    reencrypt: Mutex<Place>,
    free_bytes: AtomicU64,
}

#[async_trait]
impl Upkeep for SqliteStore {
    async fn tidy(&self, now: Timestamp) -> Result<Tidied, StoreError> {
        let shared = Arc::clone(&self.shared);
        let folded = self
            .write(move |tx| Ok(fold::step(tx, &shared.watermarks, now)?))
            .await?;
        let shared = Arc::clone(&self.shared);
        let moved = self
            .write(move |tx| Ok(recent_keys::step_if_old(tx, &shared.recent_keys, now)?))
            .await?;
        let stale = self.tidy_answers(now).await?;
        let mut tidied = self.tidy_rows(now).await?;
        let vacuumed = self.tidy_pages().await?;
        tidied.rows += folded + moved + stale.rows;
        tidied.more |= folded + moved > 0 || stale.more || vacuumed;
        Ok(tidied)
    }

    async fn largest_id(&self) -> Result<u64, StoreError> {
        self.read(|conn| {
            let largest: i64 = conn
                .prepare_cached(LARGEST)?
                .query_row((), |row| row.get(0))?;
            Ok(largest.cast_unsigned())
        })
        .await
    }

    async fn backup(&self, to: PathBuf) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let (from, shared) = (self.path.clone(), Arc::clone(&self.shared));
        let failed = |error| StoreError::Unavailable(format!("cannot start a thread: {error}"));
        // A thread of its own: a copy takes long, and readers must not wait for it.
        std::thread::Builder::new()
            .name("store-backup".into())
            .spawn(move || {
                let making = shared.activity.begin_backup();
                let copied = backup::copy(&from, &to);
                drop(making);
                // Whoever asked may have gone; the copy is complete all the same.
                let _gone = answer.send(copied);
            })
            .map_err(failed)?;
        let ended = || StoreError::Unavailable("the copy has ended unfinished".into());
        answered.await.map_err(|_| ended())?
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn sizes(&self) -> Sizes {
        let meter = &self.shared.meter;
        Sizes {
            on_disk: size_of(&self.path) + size_of(&log_of(&self.path)),
            free: self.tidying.free_bytes.load(Relaxed),
            commit_writes: meter.writes.read(),
            commit_micros: meter.micros.read(),
        }
    }

    fn workers(&self) -> Vec<Working> {
        let activity = &self.shared.activity;
        let worker = |name, state: &str| Working {
            name,
            state: state.to_owned(),
        };
        let mut workers = vec![
            worker("store-write", self.writing()),
            worker("store-read", &self.readers.activity()),
            worker("store-copy", activity.copier.words("copying the log")),
        ];
        let copies = activity.backups();
        if copies > 0 {
            workers.push(worker("store-backup", &format!("making copies: {copies}")));
        }
        workers
    }

    async fn reencrypt(&self) -> Result<usize, StoreError> {
        loop {
            let place = self.tidying.reencrypt.lock().clone();
            let vault = Arc::clone(&self.vault);
            let (renewed, next) = self
                .write(move |tx| reencrypt::step(tx, &vault, &place))
                .await?;
            let ended = next == Place::End;
            *self.tidying.reencrypt.lock() = if ended { Place::default() } else { next };
            if renewed > 0 || ended {
                return Ok(renewed);
            }
        }
    }
}

impl SqliteStore {
    /// What the writer is doing. One that fails is between two tries for nearly all of the time.
    fn writing(&self) -> &'static str {
        let writer = &self.shared.activity.writer;
        if !writer.has_ended() && !self.shared.health().writable {
            return "failed, trying again";
        }
        writer.words("writing")
    }

    async fn tidy_rows(&self, now: Timestamp) -> Result<Tidied, StoreError> {
        let tidying = Arc::clone(&self.tidying);
        let (clock, kept_for) = (Arc::clone(&self.settings.clock), self.settings.retention);
        let read = self.tidying.large.lock().take();
        if let Some(message) = read {
            self.read(move |conn| Ok(large::read(conn, message)?))
                .await?;
        }
        let written = self.write(move |tx| {
            let mut budget = Budget::new(&*clock, read);
            let more = tidying
                .retention
                .lock()
                .step(tx, &mut budget, now, kept_for)?;
            *tidying.large.lock() = budget.to_read();
            Ok(Tidied {
                rows: budget.spent(),
                expired: budget.expired,
                more,
            })
        });
        let written = written.await;
        if written.is_err() {
            // What was done is undone, so the walks are not where they believe to be.
            *self.tidying.retention.lock() = Retention::default();
        }
        written
    }

    async fn tidy_answers(&self, now: Timestamp) -> Result<Tidied, StoreError> {
        let Some(beyond) = self.tidying.stale.lock().resume(now) else {
            return Ok(Tidied::default());
        };
        let found = self
            .read(move |conn| Ok(stale::look(conn, &beyond, now)?))
            .await?;
        let more = found.more();
        let (rows, found) = self.write(move |tx| Ok((found.remove(tx)?, found))).await?;
        self.tidying.stale.lock().advance(found, now);
        Ok(Tidied {
            rows,
            expired: 0,
            more,
        })
    }

    /// Gives free pages back to the system; says whether more are to be given back.
    async fn tidy_pages(&self) -> Result<bool, StoreError> {
        let (free, pages, size) = self.read(|conn| Ok(pages(conn)?)).await?;
        let bytes = free.saturating_mul(size);
        self.tidying.free_bytes.store(bytes.unsigned_abs(), Relaxed);
        if free < FREE_PAGES || free < pages / FREE_PART {
            return Ok(false);
        }
        let clock = Arc::clone(&self.settings.clock);
        self.write(move |tx| Ok(give_back(tx, &Budget::new(&*clock, None))?))
            .await?;
        Ok(true)
    }
}

/// Gives back free pages at the end of the file, after moving what is in use there. SQLite gives back
/// one for each row that is asked for.
fn give_back(conn: &Connection, budget: &Budget<'_>) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached("PRAGMA incremental_vacuum")?;
    let mut rows = statement.query(())?;
    for _ in 0..PAGES {
        if rows.next()?.is_none() || !budget.is_left() {
            break;
        }
    }
    Ok(())
}

/// How many pages are free, how many there are, and how large one is.
fn pages(conn: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    conn.query_row(
        "SELECT freelist_count, page_count, page_size \
         FROM pragma_freelist_count, pragma_page_count, pragma_page_size",
        (),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}
