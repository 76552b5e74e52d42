//! Rows that are being folded: gathered, sorted by endpoint, written part by part.

use rusqlite::Connection;

use crate::sqlite::counts::Tallies;
use crate::sqlite::log::rows::{self, to_column};

/// How many entries are gathered at most, give or take one message's. Small in tests.
const ENTRIES: usize = if cfg!(test) { 12 } else { 20_000 };
/// How many counters they may touch, give or take one message's.
const COUNTERS: usize = 5_000;

pub(in crate::sqlite) const MESSAGES: &str =
    "SELECT id, targets FROM message NOT INDEXED WHERE id > ?1 AND id <= ?2 ORDER BY id";
pub(in crate::sqlite) const ATTEMPTS: &str = "SELECT id, message_id, endpoint_id, settled FROM attempt NOT INDEXED \
     WHERE id > ?1 AND id <= ?2 ORDER BY id";

/// What is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Attempt,
}

impl Kind {
    pub(super) const fn largest(self) -> &'static str {
        match self {
            Self::Message => "SELECT max(id) FROM message",
            Self::Attempt => "SELECT max(id) FROM attempt",
        }
    }

    /// An entry may be there already: of a batch that was given up after a part of it was written.
    pub(super) const fn insert(self) -> &'static str {
        match self {
            Self::Message => "INSERT OR IGNORE INTO message_by_endpoint VALUES (?1, ?2)",
            Self::Attempt => "INSERT OR IGNORE INTO attempt_by_endpoint VALUES (?1, ?2)",
        }
    }

    const fn advance(self) -> &'static str {
        match self {
            Self::Message => "UPDATE folded SET message_id = ?1 WHERE one = 1",
            Self::Attempt => "UPDATE folded SET attempt_id = ?1 WHERE one = 1",
        }
    }
}

/// Entries that are being written.
#[derive(Debug)]
pub(super) struct Gathered {
    kind: Kind,
    /// The last id among them: where the watermark goes.
    reached: i64,
    entries: Vec<(i64, i64)>,
    written: usize,
    tallies: Tallies,
}

impl Gathered {
    /// The first rows with ids above `from` and up to `to`; `None` if there are none.
    pub(super) fn beyond(
        tx: &Connection,
        kind: Kind,
        from: i64,
        to: i64,
    ) -> rusqlite::Result<Option<Self>> {
        let (entries, tallies) = (Vec::new(), Tallies::default());
        let mut gathered = Self {
            kind,
            reached: from,
            entries,
            written: 0,
            tallies,
        };
        match kind {
            Kind::Message => gathered.messages(tx, from, to)?,
            Kind::Attempt => gathered.attempts(tx, from, to)?,
        }
        gathered.entries.sort_unstable();
        Ok((gathered.reached > from).then_some(gathered))
    }

    fn messages(&mut self, tx: &Connection, from: i64, to: i64) -> rusqlite::Result<()> {
        let mut statement = tx.prepare_cached(MESSAGES)?;
        let mut found = statement.query([from, to])?;
        while !self.is_full()
            && let Some(row) = found.next()?
        {
            self.reached = row.get(0)?;
            for target in rows::targets(row.get_ref(1)?.as_blob()?).map(to_column) {
                self.entries.push((target, self.reached));
                self.tallies.of(target, self.reached).owed += 1;
            }
        }
        Ok(())
    }

    fn attempts(&mut self, tx: &Connection, from: i64, to: i64) -> rusqlite::Result<()> {
        let mut statement = tx.prepare_cached(ATTEMPTS)?;
        let mut found = statement.query([from, to])?;
        while !self.is_full()
            && let Some(row) = found.next()?
        {
            self.reached = row.get(0)?;
            let (message, endpoint) = (row.get(1)?, row.get(2)?);
            self.entries.push((endpoint, self.reached));
            self.tallies.of(endpoint, message).settle(row.get(3)?);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= ENTRIES || self.tallies.len() >= COUNTERS
    }

    /// How many entries are not written yet.
    pub(super) fn left(&self) -> usize {
        self.entries.len() - self.written
    }

    /// How many counters they touch.
    pub(super) fn counters(&self) -> usize {
        self.tallies.len()
    }

    /// Whether a row of this kind and id would have been gathered.
    pub(super) fn covers(&self, kind: Kind, id: i64) -> bool {
        self.kind == kind && id <= self.reached
    }

    /// Writes the next entries, at most so many, and returns how many.
    pub(super) fn write(&mut self, tx: &Connection, most: usize) -> rusqlite::Result<usize> {
        let mut statement = tx.prepare_cached(self.kind.insert())?;
        let end = self.entries.len().min(self.written + most);
        let part = &self.entries[self.written..end];
        for (endpoint, id) in part {
            statement.execute([endpoint, id])?;
        }
        let entries = part.len();
        self.written = end;
        Ok(entries)
    }

    /// Counts them and moves the watermark, once all are written; returns where it is then.
    pub(super) fn finish(self, tx: &Connection) -> rusqlite::Result<(Kind, i64)> {
        self.tallies.add(tx)?;
        tx.prepare_cached(self.kind.advance())?
            .execute([self.reached])?;
        Ok((self.kind, self.reached))
    }
}
