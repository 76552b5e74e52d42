//! Folding: moves the newest messages and attempts into the tables by endpoint, in sorted batches.
//!
//! Ids are made before they are committed, so a row may be committed below one that is there already.
//! Rows are therefore folded only when they are older than [`SETTLING`]; the few that are committed
//! later still are written into the folded tables at once ([`late_message`], [`late_attempt`]), since
//! the writer knows the watermarks.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ringbolt_model::{MessageId, Timestamp, id};
use rusqlite::{Connection, OptionalExtension, params};

use super::counts::{self, Tallies};
use super::log::rows::{self, to_column};

pub(in crate::sqlite) use counts::reopened;

/// How old an id is before its row is folded.
const SETTLING: Duration = Duration::from_secs(2);
/// How many entries one step writes at most of each kind, but at least one message's.
const ENTRIES: usize = 5_000;
/// How many attempts may be written before it is time to fold.
const DUE: u64 = 20_000;

pub(in crate::sqlite) const MESSAGES: &str =
    "SELECT id, targets FROM message NOT INDEXED WHERE id > ?1 AND id <= ?2 ORDER BY id";
pub(in crate::sqlite) const ATTEMPTS: &str =
    "SELECT id, message_id, endpoint_id, settled FROM attempt NOT INDEXED \
     WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";

/// Up to which ids the tables by endpoint are folded, as the writer knows it.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Watermarks {
    message: AtomicI64,
    attempt: AtomicI64,
}

impl Watermarks {
    /// Reads them. To be called at the start of a transaction that may write messages or attempts:
    /// one that was rolled back may have moved them here and not in the file.
    pub(in crate::sqlite) fn refresh(&self, tx: &Connection) -> rusqlite::Result<()> {
        let (message, attempt) = tx
            .prepare_cached("SELECT message_id, attempt_id FROM folded WHERE one = 1")?
            .query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.message.store(message, Ordering::Relaxed);
        self.attempt.store(attempt, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a message with this id has to be given to [`late_message`].
    pub(in crate::sqlite) fn pass_message(&self, id: u64) -> bool {
        to_column(id) <= self.message.load(Ordering::Relaxed)
    }

    /// Whether an attempt with this id has to be given to [`late_attempt`].
    pub(in crate::sqlite) fn pass_attempt(&self, id: u64) -> bool {
        to_column(id) <= self.attempt.load(Ordering::Relaxed)
    }

    fn advance(&self, tx: &Connection, message: i64, attempt: i64) -> rusqlite::Result<()> {
        tx.prepare_cached("UPDATE folded SET message_id = ?1, attempt_id = ?2 WHERE one = 1")?
            .execute([message, attempt])?;
        self.message.store(message, Ordering::Relaxed);
        self.attempt.store(attempt, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether so many attempts are written since the last fold that it is time for one.
pub(in crate::sqlite) const fn due(attempts_since: u64) -> bool {
    attempts_since >= DUE
}

/// Folds the oldest rows beyond the watermarks, and returns how many entries that were; 0 if none is
/// old enough.
pub(in crate::sqlite) fn step(
    tx: &Connection,
    watermarks: &Watermarks,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    watermarks.refresh(tx)?;
    let from_message = watermarks.message.load(Ordering::Relaxed);
    let from_attempt = watermarks.attempt.load(Ordering::Relaxed);
    let mut batch = Batch::default();
    let message = batch.gather_messages(tx, from_message, settled(tx, "message", now)?)?;
    let attempt = batch.gather_attempts(tx, from_attempt, settled(tx, "attempt", now)?)?;
    let entries = batch.write(tx)?;
    if (message, attempt) != (from_message, from_attempt) {
        watermarks.advance(tx, message, attempt)?;
    }
    Ok(entries)
}

/// The largest id that is old enough. A clock that went back makes no ids below the last one, so age
/// is told by the later of the clock and the largest id.
fn settled(tx: &Connection, table: &str, now: Timestamp) -> rusqlite::Result<i64> {
    let largest: Option<i64> = tx
        .prepare_cached(&format!("SELECT max(id) FROM {table}"))?
        .query_row((), |row| row.get(0))?;
    let made = |raw: i64| MessageId::from(raw.cast_unsigned()).time();
    let latest = largest.map_or(now, |largest| made(largest).max(now));
    Ok(to_column(id::at_millisecond(latest - SETTLING)).saturating_sub(1))
}

/// Entries that are to be written, unsorted until then.
#[derive(Debug, Default)]
struct Batch {
    owed: Vec<(i64, i64)>,
    made: Vec<(i64, i64)>,
    tallies: Tallies,
}

impl Batch {
    fn gather_messages(&mut self, tx: &Connection, from: i64, to: i64) -> rusqlite::Result<i64> {
        let mut statement = tx.prepare_cached(MESSAGES)?;
        let mut found = statement.query([from, to])?;
        let mut reached = from;
        while let Some(row) = found.next()? {
            if self.owed.len() >= ENTRIES {
                break;
            }
            let message = row.get(0)?;
            for target in rows::targets(row.get_ref(1)?.as_blob()?) {
                self.owed.push((to_column(target), message));
                self.tallies.of(to_column(target), message).owed += 1;
            }
            reached = message;
        }
        Ok(reached)
    }

    fn gather_attempts(&mut self, tx: &Connection, from: i64, to: i64) -> rusqlite::Result<i64> {
        let mut statement = tx.prepare_cached(ATTEMPTS)?;
        let mut found = statement.query(params![from, to, ENTRIES as i64])?;
        let mut reached = from;
        while let Some(row) = found.next()? {
            let (attempt, message, endpoint) = (row.get(0)?, row.get(1)?, row.get(2)?);
            self.made.push((endpoint, attempt));
            self.tallies.of(endpoint, message).settle(row.get(3)?);
            reached = attempt;
        }
        Ok(reached)
    }

    fn write(mut self, tx: &Connection) -> rusqlite::Result<usize> {
        self.owed.sort_unstable();
        self.made.sort_unstable();
        let mut statement =
            tx.prepare_cached("INSERT OR IGNORE INTO message_by_endpoint VALUES (?1, ?2)")?;
        for entry in &self.owed {
            statement.execute([entry.0, entry.1])?;
        }
        let mut statement =
            tx.prepare_cached("INSERT OR IGNORE INTO attempt_by_endpoint VALUES (?1, ?2)")?;
        for entry in &self.made {
            statement.execute([entry.0, entry.1])?;
        }
        self.tallies.add(tx)?;
        Ok(self.owed.len() + self.made.len())
    }
}

/// Enters a message that is committed below the watermark.
pub(in crate::sqlite) fn late_message(
    tx: &Connection,
    message: u64,
    targets: impl IntoIterator<Item = u64>,
) -> rusqlite::Result<()> {
    let message = to_column(message);
    let mut batch = Batch::default();
    for target in targets {
        batch.owed.push((to_column(target), message));
        batch.tallies.of(to_column(target), message).owed += 1;
    }
    batch.write(tx).map(drop)
}

/// Enters an attempt that is committed below the watermark; `settled` is as its column holds it.
pub(in crate::sqlite) fn late_attempt(
    tx: &Connection,
    attempt: u64,
    message: u64,
    endpoint: u64,
    settled: i64,
) -> rusqlite::Result<()> {
    let mut batch = Batch::default();
    batch.made.push((to_column(endpoint), to_column(attempt)));
    batch.tallies.of(to_column(endpoint), to_column(message)).settle(settled);
    batch.write(tx).map(drop)
}

/// Makes an endpoint a target of a message that it did not want, unless it is one; says whether it
/// was none. Nothing happens if there is no such message.
pub(in crate::sqlite) fn owe(
    tx: &Connection,
    watermarks: &Watermarks,
    message: u64,
    endpoint: u64,
) -> rusqlite::Result<bool> {
    let key = to_column(message);
    let targets: Option<Vec<u8>> = tx
        .prepare_cached("SELECT targets FROM message WHERE id = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    let Some(mut targets) = targets else { return Ok(false) };
    if rows::targets(&targets).any(|target| target == endpoint) {
        return Ok(false);
    }
    targets.extend(endpoint.to_be_bytes());
    tx.prepare_cached("UPDATE message SET targets = ?2 WHERE id = ?1")?
        .execute(params![key, targets])?;
    if watermarks.pass_message(message) {
        late_message(tx, message, [endpoint])?;
    }
    Ok(true)
}
