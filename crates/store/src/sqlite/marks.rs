//! Open marks: which messages have fresh deliveries that are not settled, and how many.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use ringbolt_model::{EndpointId, MessageId};
use rusqlite::{Connection, OptionalExtension};

use super::log::rows::{targets, to_column};

/// The counts, as the writer knows them. What a transaction changes is undone if it fails.
#[derive(Debug, Default)]
pub(super) struct Marks {
    left: HashMap<MessageId, usize, BuildHasherDefault<IdHasher>>,
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Opened(MessageId),
    Settled(MessageId),
}

impl Marks {
    /// A message was accepted with so many fresh deliveries.
    pub(super) fn open(&mut self, message: MessageId, fresh: usize) {
        self.left.insert(message, fresh);
        self.changes.push(Change::Opened(message));
    }

    /// One of them is settled. Says whether it was the last: then the mark goes.
    pub(super) fn settle(&mut self, message: MessageId) -> bool {
        let Some(left) = self.left.get_mut(&message) else {
            return false;
        };
        self.changes.push(Change::Settled(message));
        *left -= 1;
        let last = *left == 0;
        if last {
            self.left.remove(&message);
        }
        last
    }

    /// Where the changes stand, for [`Self::undo_to`].
    pub(super) fn position(&self) -> usize {
        self.changes.len()
    }

    /// Undoes the changes since then.
    pub(super) fn undo_to(&mut self, position: usize) {
        while self.changes.len() > position
            && let Some(change) = self.changes.pop()
        {
            match change {
                Change::Opened(message) => drop(self.left.remove(&message)),
                Change::Settled(message) => *self.left.entry(message).or_default() += 1,
            }
        }
    }

    /// The transaction is on disk.
    pub(super) fn keep(&mut self) {
        self.changes.clear();
    }

    /// Reads the counts anew; marks that stand for nothing are removed.
    pub(super) fn rebuild(&mut self, tx: &Connection) -> rusqlite::Result<()> {
        self.left.clear();
        self.changes.clear();
        for message in between(tx, MessageId::from(0), last(tx)?, i64::MAX)? {
            match unsettled(tx, message)?.len() {
                0 => remove(tx, message)?,
                left => drop(self.left.insert(message, left)),
            }
        }
        Ok(())
    }
}

/// The open messages after this one up to another, at most `limit`, oldest first.
pub(super) fn between(
    conn: &Connection,
    after: MessageId,
    last: MessageId,
    limit: i64,
) -> rusqlite::Result<Vec<MessageId>> {
    let sql = "SELECT id FROM open_message WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let (after, last) = (to_column(after.raw()), to_column(last.raw()));
    let rows = statement.query_map((after, last, limit), |row| {
        row.get::<_, i64>(0)
            .map(|raw| MessageId::from(raw.cast_unsigned()))
    })?;
    rows.collect()
}

/// The last open message, or none.
pub(super) fn last(conn: &Connection) -> rusqlite::Result<MessageId> {
    let sql = "SELECT ifnull(max(id), 0) FROM open_message";
    let last: i64 = conn.query_row(sql, (), |row| row.get(0))?;
    Ok(MessageId::from(last.cast_unsigned()))
}

/// Removes a mark.
pub(super) fn remove(tx: &Connection, message: MessageId) -> rusqlite::Result<()> {
    let sql = "DELETE FROM open_message WHERE id = ?1";
    tx.prepare_cached(sql)?
        .execute([to_column(message.raw())])
        .map(drop)
}

/// What a mark stands for: the targets, less those that succeeded, less those that have rows.
pub(super) fn unsettled(
    conn: &Connection,
    message: MessageId,
) -> rusqlite::Result<Vec<EndpointId>> {
    let key = to_column(message.raw());
    let sql = "SELECT targets FROM message WHERE id = ?1";
    let column: Option<Vec<u8>> = conn
        .prepare_cached(sql)?
        .query_row([key], |row| row.get(0))
        .optional()?;
    let sql = "SELECT endpoint_id FROM attempt INDEXED BY attempt_by_message \
        WHERE message_id = ?1 AND failure IS NULL";
    let mut statement = conn.prepare_cached(sql)?;
    let succeeded: std::collections::HashSet<i64> = statement
        .query_map([key], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let sql = "SELECT 1 FROM delivery WHERE endpoint_id = ?1 AND message_id = ?2";
    let mut has_row = conn.prepare_cached(sql)?;
    let mut left = Vec::new();
    for target in targets(&column.unwrap_or_default()) {
        let endpoint = to_column(target);
        if !succeeded.contains(&endpoint) && !has_row.exists((endpoint, key))? {
            left.push(EndpointId::from(target));
        }
    }
    Ok(left)
}

/// Hashes ids: they are made by us, so nobody can choose colliding ones.
#[derive(Debug, Default, Clone, Copy)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let wide = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_transaction_changed_is_undone() {
        let mut marks = Marks::default();
        let (old, new) = (MessageId::from(1), MessageId::from(2));
        marks.open(old, 2);
        marks.keep();
        marks.open(new, 1);
        assert!(!marks.settle(old));
        let position = marks.position();
        assert!(marks.settle(old));
        marks.undo_to(position);
        assert!(marks.settle(old));
        marks.undo_to(0);
        assert!(!marks.settle(new));
        assert!(!marks.settle(old));
        assert!(marks.settle(old));
    }
}
