//! Pages of lists: where they begin, which way they go, and whether more follows.

use ringbolt_model::{MessageId, Timestamp, id};

use crate::{Listing, Order};

/// The comparison that goes on from a key, and the direction to sort in, as SQL.
pub(crate) const fn direction(order: Order) -> (&'static str, &'static str) {
    match order {
        Order::Ascending => (">", "ASC"),
        Order::Descending => ("<", "DESC"),
    }
}

/// Where a list by id begins: beyond `after`, or at the end that the order starts from.
pub(crate) fn beyond(after: Option<u64>, order: Order) -> i64 {
    after.map_or_else(
        || match order {
            Order::Ascending => i64::MIN,
            Order::Descending => i64::MAX,
        },
        u64::cast_signed,
    )
}

/// A listing of items that were read one beyond what was asked for, to see whether more follow.
pub(crate) fn listing<T, K>(
    mut items: Vec<T>,
    limit: usize,
    key: impl FnOnce(&T) -> K,
) -> Listing<T, K> {
    let done = items.len() <= limit;
    items.truncate(limit);
    let reached = items.last().map(key);
    Listing {
        items,
        reached,
        done,
    }
}

/// How many rows to read for a page of `limit`: one more tells whether the list goes on.
pub(crate) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
}

/// Which messages a recovery is about, as columns hold their ids: between, not including.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) after: i64,
    pub(crate) before: i64,
}

impl Window {
    /// Messages accepted in `since..until`, after `reached`.
    pub(crate) fn new(since: Timestamp, until: Timestamp, reached: Option<MessageId>) -> Self {
        let from = id::at_millisecond(since).cast_signed().saturating_sub(1);
        let reached = reached.map_or(i64::MIN, |reached| reached.raw().cast_signed());
        Self {
            after: from.max(reached),
            before: id::at_millisecond(until).cast_signed(),
        }
    }
}
