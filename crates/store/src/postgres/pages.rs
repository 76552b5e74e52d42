//! Pages of lists whose items may be long: they end before they hold too many bytes.

use tokio_postgres::Row;

use super::Fault;
use super::column::{direction, get};
use crate::{Listing, Order};

/// How many bytes of text a page holds, less its last item.
pub(super) const MOST_BYTES: usize = 512 * 1024;

/// The statement of a page that ends before it holds much more than [`MOST_BYTES`]; it has at least one row. `rows` selects one
/// row more than the page may have, in the order of `key`, with a last column `bytes`, which is an integer. What lies beyond the
/// end is not read: its length is known without that.
pub(super) fn bounded_sql(rows: &str, key: &str, order: Order) -> String {
    let (_, order) = direction(order);
    format!(
        "SELECT * FROM (SELECT counted.*, \
            sum(bytes) OVER (ORDER BY {key} {order} ROWS UNBOUNDED PRECEDING) - bytes AS before, \
            lead({key}) OVER (ORDER BY {key} {order}) IS NOT NULL AS goes_on \
            FROM ({rows}) counted) page \
         WHERE before < {MOST_BYTES} ORDER BY {key} {order}"
    )
}

/// The page that such a statement gave.
pub(super) fn bounded_listing<T, K>(
    rows: &[Row],
    limit: usize,
    read: impl Fn(&Row) -> Result<T, Fault>,
    key: impl FnOnce(&T) -> K,
) -> Result<Listing<T, K>, Fault> {
    let goes_on = rows.last().map(|row| get(row, row.len() - 1)).transpose()?;
    let items: Vec<T> = rows
        .iter()
        .take(limit)
        .map(read)
        .collect::<Result<_, _>>()?;
    Ok(Listing {
        reached: items.last().map(key),
        done: rows.len() <= limit && goes_on != Some(true),
        items,
    })
}
