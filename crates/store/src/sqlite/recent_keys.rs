//! The newest idempotency keys of messages: appended as they come, and moved among all others in sorted
//! batches.
//!
//! Keys are random, so each that is entered among all others costs a page of its own at every commit.
//! Appended, many share a page; and when thousands are moved at once, sorted, they share pages again.
//! The writer knows by heart which have not been moved, so a look-up costs no more than before.

mod moving;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_model::{MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use super::log::rows::to_column;
use crate::IdempotencyKey;
use moving::Moving;

/// How many keys are there before they are moved at once. Small in tests, so that they meet every seam.
const DUE: usize = if cfg!(test) { 4 } else { 20_000 };
/// How many a step moves at most.
const STEP: usize = if cfg!(test) { 3 } else { 5_000 };
/// How old the oldest may be before fewer are moved, too.
const OLD: Duration = Duration::from_secs(60);

pub(in crate::sqlite) const ALL: &str = "SELECT key, body, message_id FROM recent_key ORDER BY seq";
const OLDEST: &str = "SELECT message_id FROM recent_key ORDER BY seq LIMIT 1";
const INSERT: &str = "INSERT INTO recent_key (message_id, key, body) VALUES (?1, ?2, ?3)";

/// The keys that have not been moved, as the writer knows them. Nobody else asks.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct RecentKeys(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// `None` when what the file holds is not known, and is to be read.
    known: Option<Known>,
    moving: Option<Moving>,
}

type Known = HashMap<[u8; 16], Use>;

/// What a key was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sqlite) struct Use {
    /// Digest of the request's body.
    pub(in crate::sqlite) body: [u8; 16],
    /// The message that came of it; its id says when.
    pub(in crate::sqlite) message: MessageId,
}

impl RecentKeys {
    /// Forgets what is known and under way. To be called when a write that may have added or moved keys
    /// was not committed.
    pub(in crate::sqlite) fn forget(&self) {
        *self.0.lock() = State::default();
    }

    /// The last use of a key, if that is recent.
    pub(in crate::sqlite) fn find(
        &self,
        tx: &Connection,
        key: &[u8; 16],
    ) -> rusqlite::Result<Option<Use>> {
        Ok(self.0.lock().known(tx)?.get(key).copied())
    }

    /// Remembers what a key is used for.
    pub(in crate::sqlite) fn add(
        &self,
        tx: &Connection,
        key: &IdempotencyKey,
        message: MessageId,
    ) -> rusqlite::Result<()> {
        let mut state = self.0.lock();
        let known = state.known(tx)?;
        let row = (to_column(message.raw()), &key.key[..], &key.body[..]);
        tx.prepare_cached(INSERT)?.execute(row)?;
        let body = key.body;
        known.insert(key.key, Use { body, message });
        Ok(())
    }

    /// Whether there are so many that it is time for a [`step`].
    pub(in crate::sqlite) fn due(&self) -> bool {
        let state = self.0.lock();
        state.moving.is_some() || state.known.as_ref().is_some_and(|known| known.len() >= DUE)
    }
}

impl State {
    fn known(&mut self, tx: &Connection) -> rusqlite::Result<&mut Known> {
        let known = match self.known.take() {
            Some(known) => known,
            None => read(tx)?,
        };
        Ok(self.known.insert(known))
    }
}

fn read(tx: &Connection) -> rusqlite::Result<Known> {
    let mut statement = tx.prepare_cached(ALL)?;
    let rows = statement.query_map((), |row| {
        let message: i64 = row.get(2)?;
        let message = MessageId::from(message.cast_unsigned());
        let body = row.get(1)?;
        Ok((row.get(0)?, Use { body, message }))
    })?;
    rows.collect()
}

/// Moves a part, which takes no longer than 20 ms; returns how many rows it went through, 0 if there are
/// none. Whatever else its savepoint does must not fail after it.
pub(in crate::sqlite) fn step(tx: &Connection, keys: &RecentKeys) -> rusqlite::Result<usize> {
    let mut state = keys.0.lock();
    let mut moving = match state.moving.take() {
        Some(moving) => moving,
        None => {
            let moving = Moving::gather(tx, 4 * STEP)?;
            let rows = moving.left();
            if rows > STEP {
                state.moving = Some(moving);
                return Ok(rows);
            }
            moving
        }
    };
    let moved = moving.write(tx, STEP)?;
    if moving.left() > 0 {
        state.moving = Some(moving);
        return Ok(moved);
    }
    for (key, used) in moving.finish(tx)? {
        if let Some(known) = &mut state.known
            && known.get(&key) == Some(&used)
        {
            known.remove(&key);
        }
    }
    Ok(moved)
}

/// As [`step`], if the oldest key has waited long enough.
pub(in crate::sqlite) fn step_if_old(
    tx: &Connection,
    keys: &RecentKeys,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    let oldest: Option<i64> = tx
        .prepare_cached(OLDEST)?
        .query_row((), |row| row.get(0))
        .optional()?;
    let made = |raw: i64| MessageId::from(raw.cast_unsigned()).time();
    match oldest {
        Some(oldest) if made(oldest) + OLD <= now => step(tx, keys),
        _ => Ok(0),
    }
}

/// Removes the keys of these messages, which must be sorted. All rows are looked at: it is for what a
/// failed commit has left behind.
pub(in crate::sqlite) fn remove(tx: &Connection, messages: &[MessageId]) -> rusqlite::Result<()> {
    let mut all = tx.prepare_cached("SELECT seq, message_id FROM recent_key ORDER BY seq")?;
    let mut rows = all.query(())?;
    let mut found: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        let message = MessageId::from(row.get::<_, i64>(1)?.cast_unsigned());
        if messages.binary_search(&message).is_ok() {
            found.push(row.get(0)?);
        }
    }
    let mut delete = tx.prepare_cached("DELETE FROM recent_key WHERE seq = ?1")?;
    for seq in found {
        delete.execute([seq])?;
    }
    Ok(())
}
