//! Gathering a page: a bounded number of rows is examined, whatever the filters leave out.

use rusqlite::{Row, Rows};

use crate::Listing;

/// The fewest rows that a page may examine, if each has to be looked up.
const LEAST_EXAMINED: usize = 2_000;
/// What it costs to examine a row that has to be looked up in another table.
pub(super) const LOOKED_UP: usize = 10;
/// What it costs to examine a row that lies next to the one before.
pub(super) const ADJACENT: usize = 1;
/// How many rows may be examined for each item wanted.
const EXAMINED_PER_ITEM: usize = 20;
/// The most bytes of content that one page carries; at least one item is given. As JSON a byte can
/// take six.
pub(in crate::sqlite) const MOST_BYTES: usize = 512 * 1024;

/// A page in the making. Rows are offered to it in the list's order, source after source.
#[derive(Debug)]
pub(super) struct Gathering<T, K> {
    limit: usize,
    budget: usize,
    bytes_left: usize,
    items: Vec<T>,
    reached: Option<K>,
}

/// How a source of rows ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// It has no more rows.
    Exhausted,
    /// It has more, but the page takes none.
    MoreFollows,
}

impl<T, K: From<u64>> Gathering<T, K> {
    /// An empty page for `limit` items.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            budget: limit
                .min(1_000)
                .saturating_mul(EXAMINED_PER_ITEM)
                .max(LEAST_EXAMINED)
                * LOOKED_UP,
            bytes_left: MOST_BYTES,
            items: Vec::with_capacity(limit.min(1_000)),
            reached: None,
        }
    }

    /// One row more than this page can still examine, at this cost each: a source asked for so many
    /// shows whether it has more.
    pub(super) fn rows_wanted(&self, cost: usize) -> i64 {
        i64::try_from(self.budget.div_ceil(cost)).unwrap_or(i64::MAX - 1) + 1
    }

    /// Takes rows until the page is full or the source is exhausted. A row's first column is the
    /// key of the list; `look` says what the row is worth, and how many bytes of content it carries.
    pub(super) fn take(
        &mut self,
        cost: usize,
        mut rows: Rows<'_>,
        mut look: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<(T, usize)>>,
    ) -> rusqlite::Result<Source> {
        while let Some(row) = rows.next()? {
            if self.is_full() {
                return Ok(Source::MoreFollows);
            }
            let found = look(row)?;
            self.budget = self.budget.saturating_sub(cost);
            self.reached = Some(super::rows::id(row, 0)?);
            if let Some((item, bytes)) = found {
                self.bytes_left = self.bytes_left.saturating_sub(bytes);
                self.items.push(item);
            }
        }
        Ok(Source::Exhausted)
    }

    const fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.budget == 0 || self.bytes_left == 0
    }

    /// The page, once its last source ended so.
    pub(super) fn end(self, source: Source) -> Listing<T, K> {
        Listing {
            items: self.items,
            reached: self.reached,
            done: source == Source::Exhausted,
        }
    }
}
