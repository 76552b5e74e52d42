//! Folding: moves the newest messages and attempts into the tables by endpoint, in sorted batches.
//!
//! An index that begins with the endpoint costs a page for each endpoint that a transaction touches.
//! So many entries are gathered and sorted first, and written endpoint after endpoint, a part in each
//! transaction; the watermark moves, and the counters with it, when the last part is written. Until
//! then readers do not look at what is there of it.
//!
//! Ids are made before they are committed, so a row may be committed below one that is there already.
//! Rows are therefore gathered only when they are older than [`SETTLING`]. Of the few that come later
//! still, the writer is told: [`Watermarks::pass_message`] and [`Watermarks::pass_attempt`].

mod gathered;

use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_model::{MessageId, Timestamp, id};
use rusqlite::{Connection, OptionalExtension, params};

use super::counts::Tallies;
use super::log::rows::{self, to_column};
use gathered::{Gathered, Kind};

pub(in crate::sqlite) use super::counts::reopened;
#[cfg(test)]
pub(in crate::sqlite) use gathered::{ATTEMPTS, MESSAGES};

/// How old an id is before its row is folded.
const SETTLING: Duration = Duration::from_secs(2);
/// How many entries one step writes at most. Small in tests, so that they meet every seam.
const STEP: usize = if cfg!(test) { 5 } else { 5_000 };
/// How many counters are written together with the last entries; more take a step of their own.
const COUNTERS: usize = if cfg!(test) { 2 } else { 500 };
/// How many entries may be written before it is time to fold.
const DUE: usize = 20_000;

/// Up to which ids the tables by endpoint are folded, and what is under way, as the writer knows it.
/// Nobody else asks it.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Watermarks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    message: i64,
    attempt: i64,
    unfolded: usize,
    gathered: Option<Gathered>,
}

impl Watermarks {
    /// Reads them. To be called at the start of every transaction: one that was rolled back may have
    /// moved them here and not in the file.
    pub(in crate::sqlite) fn refresh(&self, tx: &Connection) -> rusqlite::Result<()> {
        let (message, attempt) = tx
            .prepare_cached("SELECT message_id, attempt_id FROM folded WHERE one = 1")?
            .query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut state = self.0.lock();
        (state.message, state.attempt) = (message, attempt);
        Ok(())
    }

    /// Forgets what is under way. To be called when a transaction was not committed: what it had
    /// written of it is gone.
    pub(in crate::sqlite) fn forget(&self) {
        self.0.lock().gathered = None;
    }

    /// To be asked for every message that is written, with the number of its targets: whether it has
    /// to be given to [`late_message`].
    pub(in crate::sqlite) fn pass_message(&self, id: u64, targets: usize) -> bool {
        let mut state = self.0.lock();
        state.unfolded += targets;
        state.disturb(Kind::Message, to_column(id));
        to_column(id) <= state.message
    }

    /// To be asked for every attempt that is written: whether it has to be given to [`late_attempt`].
    pub(in crate::sqlite) fn pass_attempt(&self, id: u64) -> bool {
        let mut state = self.0.lock();
        state.unfolded += 1;
        state.disturb(Kind::Attempt, to_column(id));
        to_column(id) <= state.attempt
    }

    /// Whether so much is written that it is time for a [`step`].
    pub(in crate::sqlite) fn due(&self) -> bool {
        self.0.lock().unfolded >= DUE
    }
}

impl State {
    /// A row that is written among those gathered is not among them, so they are gathered anew. What
    /// is written of them stays and does no harm.
    fn disturb(&mut self, kind: Kind, id: i64) {
        if self
            .gathered
            .as_ref()
            .is_some_and(|gathered| gathered.covers(kind, id))
        {
            self.gathered = None;
        }
    }

    fn gather(&mut self, tx: &Connection, now: Timestamp) -> rusqlite::Result<Option<Gathered>> {
        for (kind, from) in [(Kind::Message, self.message), (Kind::Attempt, self.attempt)] {
            let gathered = Gathered::beyond(tx, kind, from, settled(tx, kind, now)?)?;
            if gathered.is_some() {
                return Ok(gathered);
            }
        }
        self.unfolded = 0;
        Ok(None)
    }
}

/// Does a part of the folding that takes no longer than 20 ms; returns how many entries it went
/// through, 0 if there is nothing to fold. Whatever else its savepoint does must not fail after it.
pub(in crate::sqlite) fn step(
    tx: &Connection,
    watermarks: &Watermarks,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    watermarks.refresh(tx)?;
    let mut state = watermarks.0.lock();
    let mut gathered = match state.gathered.take() {
        Some(gathered) => gathered,
        None => {
            let Some(gathered) = state.gather(tx, now)? else {
                return Ok(0);
            };
            if gathered.left() > STEP {
                let entries = gathered.left();
                state.gathered = Some(gathered);
                return Ok(entries);
            }
            gathered
        }
    };
    let entries = gathered.write(tx, STEP)?;
    state.unfolded = state.unfolded.saturating_sub(entries);
    let counting_is_a_step = entries > 0 && gathered.counters() > COUNTERS;
    if gathered.left() > 0 || counting_is_a_step {
        state.gathered = Some(gathered);
        return Ok(entries);
    }
    match gathered.finish(tx)? {
        (Kind::Message, reached) => state.message = reached,
        (Kind::Attempt, reached) => state.attempt = reached,
    }
    Ok(entries.max(1))
}

/// The largest id that is old enough. A clock that went back makes no ids below the last one, so age
/// is told by the later of the clock and the largest id.
fn settled(tx: &Connection, kind: Kind, now: Timestamp) -> rusqlite::Result<i64> {
    let largest: Option<i64> = tx
        .prepare_cached(kind.largest())?
        .query_row((), |row| row.get(0))?;
    let made = |raw: i64| MessageId::from(raw.cast_unsigned()).time();
    let latest = largest.map_or(now, |largest| made(largest).max(now));
    Ok(to_column(id::at_millisecond(latest - SETTLING)).saturating_sub(1))
}

/// Enters a message that is committed below the watermark.
pub(in crate::sqlite) fn late_message(
    tx: &Connection,
    message: u64,
    targets: impl IntoIterator<Item = u64>,
) -> rusqlite::Result<()> {
    let message = to_column(message);
    let mut tallies = Tallies::default();
    let mut statement = tx.prepare_cached(Kind::Message.insert())?;
    for target in targets {
        statement.execute([to_column(target), message])?;
        tallies.of(to_column(target), message).owed += 1;
    }
    tallies.add(tx)
}

/// Enters an attempt that is committed below the watermark; `settled` is as its column holds it.
pub(in crate::sqlite) fn late_attempt(
    tx: &Connection,
    attempt: u64,
    message: u64,
    endpoint: u64,
    settled: i64,
) -> rusqlite::Result<()> {
    let endpoint = to_column(endpoint);
    tx.prepare_cached(Kind::Attempt.insert())?
        .execute([endpoint, to_column(attempt)])?;
    let mut tallies = Tallies::default();
    tallies.of(endpoint, to_column(message)).settle(settled);
    tallies.add(tx)
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
    let Some(mut targets) = targets else {
        return Ok(false);
    };
    if rows::targets(&targets).any(|target| target == endpoint) {
        return Ok(false);
    }
    targets.extend(endpoint.to_be_bytes());
    tx.prepare_cached("UPDATE message SET targets = ?2 WHERE id = ?1")?
        .execute(params![key, targets])?;
    if watermarks.pass_message(message, 1) {
        late_message(tx, message, [endpoint])?;
    }
    Ok(true)
}
