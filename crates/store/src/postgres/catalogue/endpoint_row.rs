//! How endpoints are written in rows, and read back.

use std::num::{NonZeroU16, NonZeroU32};

use ringbolt_model::endpoint::Disabled;
use ringbolt_model::{Endpoint, Metadata, Subscription, Uid};
use tokio_postgres::Row;

use crate::encoding::{json, replace_nul, word};
use crate::postgres::Fault;
use crate::postgres::column::{
    from_json, from_json_or_null, from_word, get, id, parsed_or_null, time, time_or_null, to_column,
};
use crate::postgres::fault::conflict;
use crate::postgres::link::{Link, params};

/// The columns that [`endpoint`] reads, in its order.
pub(in crate::postgres) const ENDPOINT_COLUMNS: &str = "e.id, e.app_id, e.uid, e.url, e.description, \
    e.event_types, e.channels, e.disabled_since, e.disabled_reason, e.throttle_rate, \
    e.concurrency, e.schedule, e.signature_headers, e.metadata, e.failing, e.updated_at";

/// About how many bytes of text are in them.
pub(super) const ENDPOINT_BYTES: &str = "octet_length(e.url) + octet_length(e.description) + \
    octet_length(e.event_types) + octet_length(e.channels) + octet_length(e.metadata)";

/// Reads an endpoint by [`ENDPOINT_COLUMNS`].
pub(in crate::postgres) fn endpoint(row: &Row) -> Result<Endpoint, Fault> {
    let disabled = time_or_null(row, 7)?.zip(from_word(row, 8)?);
    let rate = get::<Option<i32>>(row, 9)?.map(i32::cast_unsigned);
    let concurrency = get::<Option<i32>>(row, 10)?.and_then(|most| u16::try_from(most).ok());
    Ok(Endpoint {
        id: id(row, 0)?,
        app: id(row, 1)?,
        uid: parsed_or_null(row, 2)?,
        url: get(row, 3)?,
        description: get(row, 4)?,
        subscription: Subscription {
            event_types: from_json(row, 5)?,
            channels: from_json(row, 6)?,
        },
        disabled: disabled.map(|(since, reason)| Disabled { since, reason }),
        throttle_rate: rate.and_then(NonZeroU32::new),
        concurrency: concurrency.and_then(NonZeroU16::new),
        schedule: parsed_or_null(row, 11)?,
        signature_headers: from_word(row, 12)?,
        metadata: Metadata(from_json(row, 13)?),
        failing: from_json_or_null(row, 14)?,
        updated_at: time(row, 15)?,
    })
}

/// Secrets and headers as their columns hold them.
pub(super) struct Sealed {
    pub(super) secrets: Vec<u8>,
    pub(super) headers: Vec<u8>,
}

const INSERT: &str = "INSERT INTO endpoint (id, app_id, uid, url, description, event_types, channels, \
    disabled_since, disabled_reason, throttle_rate, concurrency, schedule, signature_headers, metadata, \
    failing, updated_at, secrets, headers) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";

const UPDATE: &str = "UPDATE endpoint SET uid = $3, url = $4, description = $5, event_types = $6, \
    channels = $7, disabled_since = $8, disabled_reason = $9, throttle_rate = $10, concurrency = $11, \
    schedule = $12, signature_headers = $13, metadata = $14, failing = $15, updated_at = $16, \
    secrets = coalesce($17, secrets), headers = coalesce($18, headers) WHERE id = $1 AND app_id = $2";

/// Stores a new endpoint.
pub(super) async fn insert(
    link: Link<'_>,
    endpoint: &Endpoint,
    sealed: Sealed,
) -> Result<(), Fault> {
    write(link, INSERT, endpoint, Some(sealed)).await
}

/// Writes what an endpoint is now, less its secrets and headers.
pub(super) async fn update(link: Link<'_>, endpoint: &Endpoint) -> Result<(), Fault> {
    write(link, UPDATE, endpoint, None).await
}

async fn write(
    link: Link<'_>,
    sql: &str,
    endpoint: &Endpoint,
    sealed: Option<Sealed>,
) -> Result<(), Fault> {
    let disabled = endpoint.disabled;
    let (secrets, headers) = sealed.map(|both| (both.secrets, both.headers)).unzip();
    link.run(
        sql,
        params![
            to_column(endpoint.id.raw()),
            to_column(endpoint.app.raw()),
            endpoint.uid.as_ref().map(Uid::as_str),
            endpoint.url.as_str(),
            endpoint.description.as_str(),
            json(&endpoint.subscription.event_types)?,
            json(&endpoint.subscription.channels)?,
            disabled.map(|disabled| disabled.since.as_micros()),
            disabled
                .map(|disabled| word(&disabled.reason))
                .transpose()?,
            endpoint.throttle_rate.map(|rate| rate.get().cast_signed()),
            endpoint.concurrency.map(|most| i32::from(most.get())),
            endpoint.schedule.as_ref().map(ToString::to_string),
            endpoint
                .signature_headers
                .map(|headers| word(&headers))
                .transpose()?,
            json(&endpoint.metadata)?,
            endpoint.failing.map(|failing| json(&failing)).transpose()?,
            endpoint.updated_at.as_micros(),
            secrets,
            headers,
        ],
    )
    .await
    .map_err(conflict("uid"))?;
    Ok(())
}

/// Replaces what cannot be written in an endpoint's texts.
pub(super) fn make_legible(endpoint: &mut Endpoint) {
    replace_nul(&mut endpoint.url);
    replace_nul(&mut endpoint.description);
}
