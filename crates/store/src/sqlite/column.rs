//! How small values are written in columns of the catalogue, and read back.

use ringbolt_model::Timestamp;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Row, Rows};
use serde::de::DeserializeOwned;

use crate::Listing;
use crate::encoding;
pub(in crate::sqlite) use crate::encoding::{json, word};
pub(in crate::sqlite) use crate::lists::{beyond, direction, listing, one_more};

/// Reads JSON text.
pub(in crate::sqlite) fn from_json<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

/// Reads what [`word`] wrote.
pub(in crate::sqlite) fn from_word<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else {
        return Ok(None);
    };
    encoding::from_word(text)
        .map(Some)
        .map_err(|error| unreadable(column, error))
}

/// Reads text that was checked when it was written, or NULL.
pub(in crate::sqlite) fn parsed_or_null<T>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|error| unreadable(column, error))
}

/// Reads a moment.
pub(in crate::sqlite) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

/// Reads a moment, or NULL.
pub(in crate::sqlite) fn time_or_null(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .map(Timestamp::from_micros))
}

fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// A page of rows that ends before it holds much more than `most` bytes of text; it has at least one item.
pub(in crate::sqlite) fn bounded_listing<T, K>(
    rows: &mut Rows<'_>,
    (limit, most): (usize, usize),
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    key: impl FnOnce(&T) -> K,
) -> rusqlite::Result<Listing<T, K>> {
    let (mut items, mut bytes, mut done) = (Vec::new(), 0, true);
    while let Some(row) = rows.next()? {
        if items.len() == limit || bytes >= most {
            done = false;
            break;
        }
        bytes += text_bytes(row)?;
        items.push(read(row)?);
    }
    let reached = items.last().map(key);
    Ok(Listing {
        items,
        reached,
        done,
    })
}

fn text_bytes(row: &Row<'_>) -> rusqlite::Result<usize> {
    let mut bytes = 0;
    for column in 0..row.as_ref().column_count() {
        if let ValueRef::Text(text) = row.get_ref(column)? {
            bytes += text.len();
        }
    }
    Ok(bytes)
}
