//! How endpoints are written in rows, and read back.

use std::num::{NonZeroU16, NonZeroU32};

use ringbolt_model::endpoint::Disabled;
use ringbolt_model::{Endpoint, Metadata, Subscription};
use rusqlite::{Connection, Row};

use crate::NewEndpoint;
use crate::encoding::{seal_headers, seal_secrets};
use crate::sqlite::column::{from_json, from_word, json, parsed_or_null, time, time_or_null, word};
use crate::sqlite::log::rows::{id, to_column};
use crate::sqlite::{Fault, conflict};
use crate::vault::Vault;

/// The columns that [`endpoint`] reads, in its order.
pub(in crate::sqlite) const ENDPOINT_COLUMNS: &str = "e.id, e.app_id, e.uid, e.url, e.description, \
    e.event_types, e.channels, e.disabled_since, e.disabled_reason, e.throttle_rate, \
    e.concurrency, e.schedule, e.signature_headers, e.metadata, e.failing, e.updated_at";

/// Reads an endpoint by [`ENDPOINT_COLUMNS`].
pub(in crate::sqlite) fn endpoint(row: &Row<'_>) -> rusqlite::Result<Endpoint> {
    let disabled = time_or_null(row, 7)?.zip(from_word(row, 8)?);
    Ok(Endpoint {
        id: id(row, 0)?,
        app: id(row, 1)?,
        uid: parsed_or_null(row, 2)?,
        url: row.get(3)?,
        description: row.get(4)?,
        subscription: Subscription {
            event_types: from_json(row, 5)?,
            channels: from_json(row, 6)?,
        },
        disabled: disabled.map(|(since, reason)| Disabled { since, reason }),
        throttle_rate: row.get::<_, Option<u32>>(9)?.and_then(NonZeroU32::new),
        concurrency: row.get::<_, Option<u16>>(10)?.and_then(NonZeroU16::new),
        schedule: parsed_or_null(row, 11)?,
        signature_headers: from_word(row, 12)?,
        metadata: Metadata(from_json(row, 13)?),
        failing: failing(row, 14)?,
        updated_at: time(row, 15)?,
    })
}

fn failing(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<ringbolt_model::endpoint::Failing>> {
    if row.get_ref(column)? == rusqlite::types::ValueRef::Null {
        return Ok(None);
    }
    from_json(row, column).map(Some)
}

/// Stores a new endpoint.
pub(super) fn insert(conn: &Connection, vault: &Vault, new: &NewEndpoint) -> Result<(), Fault> {
    let NewEndpoint {
        endpoint,
        secrets,
        headers,
    } = new;
    let sql = "INSERT INTO endpoint (id, app_id, url, description, event_types, channels, metadata, \
        secrets, headers, updated_at) VALUES (?1, ?2, '', '', '', '', '', ?3, ?4, 0)";
    let (secrets, headers) = (
        seal_secrets(vault, endpoint.id, secrets)?,
        seal_headers(vault, endpoint.id, headers)?,
    );
    let (row, app) = (to_column(endpoint.id.raw()), to_column(endpoint.app.raw()));
    conn.prepare_cached(sql)?
        .execute((row, app, secrets, headers))
        .map_err(conflict("uid"))?;
    update(conn, endpoint)
}

/// Writes what an endpoint is now, less its secrets and headers.
pub(super) fn update(conn: &Connection, endpoint: &Endpoint) -> Result<(), Fault> {
    let sql = "UPDATE endpoint SET uid = ?2, url = ?3, description = ?4, event_types = ?5, \
        channels = ?6, disabled_since = ?7, disabled_reason = ?8, throttle_rate = ?9, \
        concurrency = ?10, schedule = ?11, signature_headers = ?12, metadata = ?13, failing = ?14, \
        updated_at = ?15 WHERE id = ?1";
    let row = rusqlite::params![
        to_column(endpoint.id.raw()),
        endpoint.uid.as_ref().map(ringbolt_model::Uid::as_str),
        endpoint.url,
        endpoint.description,
        json(&endpoint.subscription.event_types)?,
        json(&endpoint.subscription.channels)?,
        endpoint.disabled.map(|disabled| disabled.since.as_micros()),
        endpoint
            .disabled
            .map(|disabled| word(&disabled.reason))
            .transpose()?,
        endpoint.throttle_rate.map(NonZeroU32::get),
        endpoint.concurrency.map(NonZeroU16::get),
        endpoint.schedule.as_ref().map(ToString::to_string),
        endpoint
            .signature_headers
            .map(|headers| word(&headers))
            .transpose()?,
        json(&endpoint.metadata)?,
        endpoint.failing.map(|failing| json(&failing)).transpose()?,
        endpoint.updated_at.as_micros(),
    ];
    conn.prepare_cached(sql)?
        .execute(row)
        .map_err(conflict("uid"))?;
    Ok(())
}
