//! Reads endpoints for the list of a message's deliveries.

use ringbolt_model::endpoint::Disabled;
use ringbolt_model::{Endpoint, Subscription, Timestamp};
use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;

use super::rows::{id, unreadable};

/// The columns that [`read`] reads, in its order.
pub(super) const COLUMNS: &str = "id, app_id, uid, url, description, event_types, channels, \
    disabled_since, disabled_reason, throttle_rate, concurrency, schedule, signature_headers, \
    metadata, failing, updated_at";

/// Reads an endpoint by [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Endpoint> {
    let since: Option<i64> = row.get(7)?;
    let reason = word(row, 8)?;
    Ok(Endpoint {
        id: id(row, 0)?,
        app: id(row, 1)?,
        uid: word(row, 2)?,
        url: row.get(3)?,
        description: row.get(4)?,
        subscription: Subscription { event_types: json(row, 5)?, channels: json(row, 6)? },
        disabled: since
            .zip(reason)
            .map(|(since, reason)| Disabled { since: Timestamp::from_micros(since), reason }),
        throttle_rate: row.get(9)?,
        concurrency: row.get(10)?,
        schedule: word(row, 11)?,
        signature_headers: word(row, 12)?,
        metadata: json(row, 13)?,
        failing: optional(row, 14)?,
        updated_at: Timestamp::from_micros(row.get(15)?),
    })
}

/// Reads JSON.
fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| unreadable(column, Type::Text, error))
}

fn optional<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    row.get_ref(column)?.as_str_or_null()?.map(|_| json(row, column)).transpose()
}

/// Reads what is written as bare text, without the quotation marks of JSON.
fn word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map(Some)
        .map_err(|error| unreadable(column, Type::Text, error))
}
