//! Pages are read part by part: keys first, with what filters need, then the items that are wanted.

use tokio_postgres::Row;

use crate::Order;
use crate::lists::{Gathering, LOOKED_UP, Source, Span};
use crate::postgres::Fault;
use crate::postgres::column::id;

/// How many rows a part has at least, if a filter leaves some out.
const SELECTIVE: i64 = 250;
/// And at most.
const MOST: i64 = 1_000;

/// How many rows of a part to read: one more than the page takes shows that the list goes on.
pub(super) fn rows_of_part<T, K>(gathering: &Gathering<T, K>, is_selective: bool) -> i64 {
    let lacks = i64::try_from(gathering.lacks()).unwrap_or(MOST).min(MOST) + 1;
    let least = if is_selective { SELECTIVE } else { 0 };
    lacks.max(least).min(gathering.rows_wanted(LOOKED_UP))
}

/// Offers a part to a page, and says whether there are rows that it does not take. A row's first column is the key of the
/// list; `look` says what the row is worth, and how many bytes of content it carries.
pub(super) fn offer<T, K: From<u64>>(
    gathering: &mut Gathering<T, K>,
    part: &[Row],
    look: impl Fn(&Row) -> Result<Option<(T, usize)>, Fault>,
) -> Result<Source, Fault> {
    for row in part {
        if gathering.is_full() {
            return Ok(Source::MoreFollows);
        }
        gathering.examined(LOOKED_UP, id(row, 0)?, look(row)?);
    }
    Ok(Source::Exhausted)
}

/// What is left of a span beyond a key.
pub(super) const fn beyond(span: Span, key: i64, order: Order) -> Span {
    match order {
        Order::Ascending => Span {
            low: key.saturating_add(1),
            ..span
        },
        Order::Descending => Span {
            high: key.saturating_sub(1),
            ..span
        },
    }
}

/// The direction to sort in, as SQL.
pub(super) const fn direction(order: Order) -> &'static str {
    match order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_shows_whether_the_list_goes_on() {
        let page = Gathering::<(), u64>::new(50);
        assert_eq!(rows_of_part(&page, false), 51);
        assert_eq!(rows_of_part(&page, true), SELECTIVE);
        let mut spent = Gathering::<(), u64>::new(50);
        for key in 0..1_999 {
            spent.examined(LOOKED_UP, key, None);
        }
        assert_eq!(rows_of_part(&spent, true), 2, "one is left to examine");
    }

    #[test]
    fn a_part_begins_beyond_the_one_before() {
        let span = Span { low: 1, high: 9 };
        assert_eq!(beyond(span, 4, Order::Ascending), Span { low: 5, high: 9 });
        assert_eq!(beyond(span, 4, Order::Descending), Span { low: 1, high: 3 });
    }
}
