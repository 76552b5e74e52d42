//! How messages and attempts are written in columns, and read back.

use std::sync::Arc;

use bytes::Bytes;
use ringbolt_model::{
    Attempt, AttemptFailure, DeliveryKey, DeliveryState, FinalReason, Message, Timestamp, Timings,
    Trigger,
};
use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;

use crate::Settled;
use crate::encoding;
pub(in crate::sqlite) use crate::encoding::{
    EXPUNGED, content_type_column, labels_column, timings_column,
};

/// The columns that [`message`] reads, in its order; `?1` says whether the payload is wanted.
pub(in crate::sqlite) const MESSAGE_COLUMNS: &str = "m.id, m.app_id, m.event_type, m.event_id, \
    m.channels, m.content_type, m.expires_at, \
    CASE WHEN ?1 AND NOT EXISTS (SELECT 1 FROM gone_content g WHERE g.id = m.id) THEN m.payload END, m.tags";
/// The first column after [`MESSAGE_COLUMNS`].
pub(in crate::sqlite) const AFTER_MESSAGE: usize = 9;

/// The columns that [`attempt`] reads, in its order; `?1` says whether headers and body are wanted.
pub(in crate::sqlite) const ATTEMPT_COLUMNS: &str = "a.id, a.app_id, a.message_id, a.endpoint_id, \
    a.at, a.manual, a.status, a.failure, a.url, a.address, a.detail, a.timings, \
    CASE WHEN ?1 THEN a.headers END, CASE WHEN ?1 THEN a.body END";

/// An id as a column holds it.
pub(in crate::sqlite) const fn to_column(raw: u64) -> i64 {
    raw.cast_signed()
}

/// Reads an id.
pub(in crate::sqlite) fn id<I: From<u64>>(row: &Row<'_>, column: usize) -> rusqlite::Result<I> {
    Ok(I::from(row.get::<_, i64>(column)?.cast_unsigned()))
}

/// Reads text that was checked when it was written.
pub(in crate::sqlite) fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse()
        .map_err(|error| unreadable(column, Type::Text, error))
}

/// A column that holds what no writer of ours puts there.
pub(in crate::sqlite) fn unreadable(
    column: usize,
    held: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, held, Box::new(error))
}

/// Reads a message by [`MESSAGE_COLUMNS`].
pub(in crate::sqlite) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: id(row, 0)?,
        app: id(row, 1)?,
        event_type: parsed(row, 2)?,
        event_id: match row.get_ref(3)? {
            rusqlite::types::ValueRef::Null => None,
            _ => Some(parsed(row, 3)?),
        },
        channels: labels(row, 4)?,
        tags: labels(row, 8)?,
        content_type: match row.get_ref(5)?.as_str_or_null()? {
            Some(text) => text.into(),
            None => ringbolt_model::message::JSON.into(),
        },
        expires_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_micros),
        payload: row
            .get_ref(7)?
            .as_blob_or_null()?
            .map(Bytes::copy_from_slice),
    })
}

/// Reads a JSON list of channels or tags; NULL means none.
pub(in crate::sqlite) fn labels<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Arc<[T]>> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(Arc::default()),
        Some(text) => serde_json::from_str::<Vec<T>>(text)
            .map(Arc::from)
            .map_err(|error| unreadable(column, Type::Text, error)),
    }
}

/// Targets as their column holds them.
#[cfg(test)]
pub(in crate::sqlite) fn targets_column(targets: impl Iterator<Item = u64>) -> Vec<u8> {
    targets.flat_map(u64::to_be_bytes).collect()
}

/// Reads targets, as raw ids of endpoints.
pub(in crate::sqlite) fn targets(column: &[u8]) -> impl Iterator<Item = u64> + '_ {
    column
        .as_chunks()
        .0
        .iter()
        .map(|eight| u64::from_be_bytes(*eight))
}

/// Reads an attempt by [`ATTEMPT_COLUMNS`].
pub(in crate::sqlite) fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let blob = |column: usize| -> rusqlite::Result<Bytes> {
        Ok(row
            .get_ref(column)?
            .as_blob_or_null()?
            .map(Bytes::copy_from_slice)
            .unwrap_or_default())
    };
    Ok(Attempt {
        id: id(row, 0)?,
        app: id(row, 1)?,
        delivery: DeliveryKey {
            message: id(row, 2)?,
            endpoint: id(row, 3)?,
        },
        at: Timestamp::from_micros(row.get(4)?),
        trigger: if row.get(5)? {
            Trigger::Manual
        } else {
            Trigger::Scheduled
        },
        status: row.get(6)?,
        failure: row.get::<_, Option<i64>>(7)?.map(failure).transpose()?,
        url: row.get_ref(8)?.as_str()?.into(),
        address: match row.get_ref(9)?.as_str_or_null()? {
            None => None,
            Some(_) => Some(parsed(row, 9)?),
        },
        detail: row.get_ref(10)?.as_str_or_null()?.map(Into::into),
        timings: timings(row.get_ref(11)?.as_blob()?)?,
        headers: blob(12)?,
        body: blob(13)?,
    })
}

/// A failure as its column holds it.
pub(in crate::sqlite) fn failure_column(failure: AttemptFailure) -> i64 {
    encoding::failure_code(failure).into()
}

fn failure(code: i64) -> rusqlite::Result<AttemptFailure> {
    encoding::failure(code).map_err(|error| unreadable(7, Type::Integer, error))
}

fn timings(column: &[u8]) -> rusqlite::Result<Timings> {
    encoding::timings(column).map_err(|error| unreadable(11, Type::Blob, error))
}

/// What became of a delivery, as the attempt's column `settled` holds it.
pub(in crate::sqlite) fn settled_column(settled: Settled) -> i64 {
    encoding::settled_code(settled).into()
}

/// A delivery's state as its column holds it.
pub(in crate::sqlite) fn state_column(state: DeliveryState) -> i64 {
    encoding::state_code(state).into()
}

/// Reads a delivery's state.
pub(in crate::sqlite) fn state(code: i64) -> rusqlite::Result<DeliveryState> {
    encoding::state(code).map_err(|error| unreadable(0, Type::Integer, error))
}

/// Why a delivery ended, as its column holds it.
pub(in crate::sqlite) fn reason_column(reason: FinalReason) -> i64 {
    encoding::reason_code(reason).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_survive_their_column() {
        let ids = [1, u64::MAX >> 1, 7];
        let column = targets_column(ids.into_iter());
        assert_eq!(targets(&column).collect::<Vec<_>>(), ids);
    }
}
