//! Keys that are being moved: gathered, sorted, entered part by part, and then removed from the newest.

use ringbolt_model::MessageId;
use rusqlite::Connection;

use super::Use;
use crate::sqlite::log::rows::to_column;

pub(in crate::sqlite) const FIRST: &str =
    "SELECT seq, key, body, message_id FROM recent_key ORDER BY seq LIMIT ?1";
/// A key may be there already: of a day before, or of a batch that was given up half-way.
const ENTER: &str = "INSERT INTO idempotency (key, body, at, message_id) VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT (key) DO UPDATE SET body = excluded.body, at = excluded.at, \
    message_id = excluded.message_id, status = NULL, answer = NULL WHERE excluded.at >= at";

#[derive(Debug)]
pub(super) struct Moving {
    entries: Vec<([u8; 16], Use)>,
    written: usize,
    /// The last row among them. Rows are numbered as they are committed, so none comes below it later.
    reached: i64,
}

impl Moving {
    /// The first rows, at most so many.
    pub(super) fn gather(tx: &Connection, most: usize) -> rusqlite::Result<Self> {
        let mut moving = Self {
            entries: Vec::new(),
            written: 0,
            reached: 0,
        };
        let mut statement = tx.prepare_cached(FIRST)?;
        let mut rows = statement.query([to_column(most as u64)])?;
        while let Some(row) = rows.next()? {
            moving.reached = row.get(0)?;
            let message = MessageId::from(row.get::<_, i64>(3)?.cast_unsigned());
            let body = row.get(2)?;
            moving.entries.push((row.get(1)?, Use { body, message }));
        }
        moving
            .entries
            .sort_unstable_by_key(|(key, used)| (*key, used.message));
        Ok(moving)
    }

    /// How many are not entered yet.
    pub(super) fn left(&self) -> usize {
        self.entries.len() - self.written
    }

    /// Enters the next, at most so many, and returns how many.
    pub(super) fn write(&mut self, tx: &Connection, most: usize) -> rusqlite::Result<usize> {
        let mut enter = tx.prepare_cached(ENTER)?;
        let end = self.entries.len().min(self.written + most);
        for (key, used) in &self.entries[self.written..end] {
            let (at, message) = (used.message.time(), to_column(used.message.raw()));
            enter.execute((&key[..], &used.body[..], at.as_micros(), message))?;
        }
        let written = end - self.written;
        self.written = end;
        Ok(written)
    }

    /// Removes them from the newest, once all are entered; returns them.
    pub(super) fn finish(self, tx: &Connection) -> rusqlite::Result<Vec<([u8; 16], Use)>> {
        tx.prepare_cached("DELETE FROM recent_key WHERE seq <= ?1")?
            .execute([self.reached])?;
        Ok(self.entries)
    }
}
