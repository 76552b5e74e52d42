//! How values are read from columns; how they are written stands in [`crate::encoding`].

use std::str::FromStr;
use std::sync::Arc;

use ringbolt_model::Timestamp;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::Fault;
use crate::StoreError;
use crate::encoding;
pub(super) use crate::lists::{beyond, direction, listing, one_more};

/// An id as a column holds it.
pub(super) const fn to_column(raw: u64) -> i64 {
    raw.cast_signed()
}

/// What a column holds.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<T, Fault> {
    Ok(row.try_get(column)?)
}

/// Reads an id.
pub(super) fn id<I: From<u64>>(row: &Row, column: usize) -> Result<I, Fault> {
    Ok(I::from(get::<i64>(row, column)?.cast_unsigned()))
}

/// Reads a moment.
pub(super) fn time(row: &Row, column: usize) -> Result<Timestamp, Fault> {
    get(row, column).map(Timestamp::from_micros)
}

/// Reads a moment, or NULL.
pub(super) fn time_or_null(row: &Row, column: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(get::<Option<i64>>(row, column)?.map(Timestamp::from_micros))
}

/// Reads text that was checked when it was written.
pub(super) fn parsed<T>(row: &Row, column: usize) -> Result<T, Fault>
where
    T: FromStr<Err: std::error::Error>,
{
    get::<&str>(row, column)?.parse().map_err(unreadable)
}

/// The same, or NULL.
pub(super) fn parsed_or_null<T>(row: &Row, column: usize) -> Result<Option<T>, Fault>
where
    T: FromStr<Err: std::error::Error>,
{
    let text = get::<Option<&str>>(row, column)?;
    text.map(|text| text.parse().map_err(unreadable))
        .transpose()
}

/// Reads JSON text.
pub(super) fn from_json<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, Fault> {
    serde_json::from_str(get(row, column)?).map_err(unreadable)
}

/// The same, or NULL.
pub(super) fn from_json_or_null<T: DeserializeOwned>(
    row: &Row,
    column: usize,
) -> Result<Option<T>, Fault> {
    let text = get::<Option<&str>>(row, column)?;
    text.map(|text| serde_json::from_str(text).map_err(unreadable))
        .transpose()
}

/// Reads a value that was written as one word, or NULL.
pub(super) fn from_word<T: DeserializeOwned>(row: &Row, column: usize) -> Result<Option<T>, Fault> {
    let text = get::<Option<&str>>(row, column)?;
    text.map(|text| encoding::from_word(text).map_err(unreadable))
        .transpose()
}

/// Reads a JSON list of channels or tags; NULL means none.
pub(super) fn labels<T: DeserializeOwned>(row: &Row, column: usize) -> Result<Arc<[T]>, Fault> {
    Ok(from_json_or_null::<Vec<T>>(row, column)?.map_or_else(Arc::default, Arc::from))
}

/// A column that holds what no writer of ours puts there.
pub(super) fn unreadable(error: impl std::fmt::Display) -> Fault {
    StoreError::Unreadable(error.to_string()).into()
}
