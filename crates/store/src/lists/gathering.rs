//! Gathering a page: a bounded number of rows is examined, whatever the filters leave out.

use crate::Listing;

/// The fewest rows that a page may examine, if each has to be looked up.
const LEAST_EXAMINED: usize = 2_000;
/// What it costs to examine a row that has to be looked up in another table.
pub(crate) const LOOKED_UP: usize = 10;
/// What it costs to examine a row that lies next to the one before.
pub(crate) const ADJACENT: usize = 1;
/// How many rows may be examined for each item wanted.
const EXAMINED_PER_ITEM: usize = 20;
/// The most bytes of content that one page carries; at least one item is given. As JSON a byte can
/// take six.
pub(crate) const MOST_BYTES: usize = 512 * 1024;

/// A page in the making. Rows are offered to it in the list's order, source after source.
#[derive(Debug)]
pub(crate) struct Gathering<T, K> {
    limit: usize,
    budget: usize,
    bytes_left: usize,
    items: Vec<T>,
    reached: Option<K>,
}

/// How a source of rows ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It has no more rows.
    Exhausted,
    /// It has more, but the page takes none.
    MoreFollows,
}

impl<T, K> Gathering<T, K> {
    /// An empty page for `limit` items.
    pub(crate) fn new(limit: usize) -> Self {
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
    pub(crate) fn rows_wanted(&self, cost: usize) -> i64 {
        i64::try_from(self.budget.div_ceil(cost)).unwrap_or(i64::MAX - 1) + 1
    }

    /// Whether a row that was examined is an item, with how many bytes of content it carries.
    pub(crate) fn examined(&mut self, cost: usize, key: K, found: Option<(T, usize)>) {
        self.budget = self.budget.saturating_sub(cost);
        self.reached = Some(key);
        if let Some((item, bytes)) = found {
            self.bytes_left = self.bytes_left.saturating_sub(bytes);
            self.items.push(item);
        }
    }

    /// How many items the page has room for.
    pub(crate) const fn lacks(&self) -> usize {
        self.limit.saturating_sub(self.items.len())
    }

    /// Whether it takes no more rows.
    pub(crate) const fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.budget == 0 || self.bytes_left == 0
    }

    /// The page, once its last source ended so.
    pub(crate) fn end(self, source: Source) -> Listing<T, K> {
        Listing {
            items: self.items,
            reached: self.reached,
            done: source == Source::Exhausted,
        }
    }
}
