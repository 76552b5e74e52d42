//! How endpoints are written in rows, and read back.

use std::borrow::Cow;
use std::num::{NonZeroU16, NonZeroU32};

use ringbolt_model::Secret;
use ringbolt_model::endpoint::Disabled;
use ringbolt_model::{
    CustomHeaders, Endpoint, EndpointId, EndpointSecrets, Metadata, Subscription, Timestamp,
};
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::sqlite::column::{from_json, from_word, json, parsed_or_null, time, time_or_null, word};
use crate::sqlite::log::rows::{id, to_column};
use crate::sqlite::{Fault, conflict};
use crate::vault::{Place, Vault};
use crate::{NewEndpoint, StoreError};

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

/// The plain form of an endpoint's secrets; it borrows from memory that is wiped.
#[derive(Serialize, Deserialize)]
struct PlainSecrets<'a> {
    #[serde(borrow)]
    current: Cow<'a, str>,
    #[serde(borrow)]
    old: Vec<(Cow<'a, str>, i64)>,
}

/// Seals an endpoint's secrets to its row.
pub(super) fn seal_secrets(
    vault: &Vault,
    endpoint: EndpointId,
    secrets: &EndpointSecrets,
) -> Result<Vec<u8>, StoreError> {
    let current = secrets.current.expose();
    let old: Vec<_> = secrets
        .old
        .iter()
        .map(|(secret, until)| (secret.expose(), until))
        .collect();
    let plain = PlainSecrets {
        current: Cow::Borrowed(&current),
        old: old
            .iter()
            .map(|(text, until)| (Cow::Borrowed(text.as_str()), until.as_micros()))
            .collect(),
    };
    let text = Zeroizing::new(json(&plain)?);
    vault.seal(
        secrets_place(&endpoint.raw().to_be_bytes()),
        text.as_bytes(),
    )
}

/// Opens an endpoint's secrets.
pub(super) fn open_secrets(
    vault: &Vault,
    endpoint: EndpointId,
    sealed: &[u8],
) -> Result<EndpointSecrets, StoreError> {
    let text = vault.open(secrets_place(&endpoint.raw().to_be_bytes()), sealed)?;
    let malformed = || StoreError::Unreadable("the secrets of an endpoint".into());
    let plain: PlainSecrets<'_> = serde_json::from_slice(&text).map_err(|_| malformed())?;
    let secret = |text: &str| Secret::parse(text).map_err(|_| malformed());
    let mut old = Vec::with_capacity(plain.old.len());
    for (text, until) in &plain.old {
        old.push((secret(text)?, Timestamp::from_micros(*until)));
    }
    Ok(EndpointSecrets {
        current: secret(&plain.current)?,
        old,
    })
}

/// Seals an endpoint's headers to its row.
pub(super) fn seal_headers(
    vault: &Vault,
    endpoint: EndpointId,
    headers: &CustomHeaders,
) -> Result<Vec<u8>, StoreError> {
    let text = Zeroizing::new(json(&headers.0)?);
    vault.seal(
        headers_place(&endpoint.raw().to_be_bytes()),
        text.as_bytes(),
    )
}

/// Opens an endpoint's headers.
pub(super) fn open_headers(
    vault: &Vault,
    endpoint: EndpointId,
    sealed: &[u8],
) -> Result<CustomHeaders, StoreError> {
    let text = vault.open(headers_place(&endpoint.raw().to_be_bytes()), sealed)?;
    serde_json::from_slice(&text)
        .map(CustomHeaders)
        .map_err(|_| StoreError::Unreadable("the headers of an endpoint".into()))
}

/// Where an endpoint's secrets are sealed to; `row` is its id, big-endian.
pub(in crate::sqlite) const fn secrets_place(row: &[u8; 8]) -> Place<'_> {
    Place {
        column: "endpoint.secrets",
        row,
    }
}

/// Where an endpoint's headers are sealed to; `row` is its id, big-endian.
pub(in crate::sqlite) const fn headers_place(row: &[u8; 8]) -> Place<'_> {
    Place {
        column: "endpoint.headers",
        row,
    }
}
