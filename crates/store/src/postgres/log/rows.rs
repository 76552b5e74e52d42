//! How messages and attempts are read from their columns.

use bytes::Bytes;
use ringbolt_model::message::JSON;
use ringbolt_model::{Attempt, DeliveryKey, Message, Trigger};
use tokio_postgres::Row;

use crate::encoding;
use crate::postgres::Fault;
use crate::postgres::column::{
    get, id, labels, parsed, parsed_or_null, time, time_or_null, unreadable,
};

/// The columns that [`message`] reads, in its order; `$1` says whether the payload is wanted.
pub(in crate::postgres) const MESSAGE_COLUMNS: &str = "m.id, m.app_id, m.event_type, m.event_id, \
    m.channels, m.tags, m.content_type, m.expires_at, CASE WHEN $1 THEN m.payload END";
/// The first column after [`MESSAGE_COLUMNS`].
pub(in crate::postgres) const AFTER_MESSAGE: usize = 9;

/// The columns that [`attempt`] reads, in its order; `$1` says whether headers and body are wanted.
pub(in crate::postgres) const ATTEMPT_COLUMNS: &str = "a.id, a.app_id, a.message_id, a.endpoint_id, \
    a.at, a.manual, a.status, a.failure, a.url, a.address, a.detail, a.timings, \
    CASE WHEN $1 THEN a.headers END, CASE WHEN $1 THEN a.body END";

/// Reads a message by [`MESSAGE_COLUMNS`].
pub(in crate::postgres) fn message(row: &Row) -> Result<Message, Fault> {
    Ok(Message {
        id: id(row, 0)?,
        app: id(row, 1)?,
        event_type: parsed(row, 2)?,
        event_id: parsed_or_null(row, 3)?,
        channels: labels(row, 4)?,
        tags: labels(row, 5)?,
        content_type: get::<Option<&str>>(row, 6)?.unwrap_or(JSON).into(),
        expires_at: time_or_null(row, 7)?,
        payload: get::<Option<&[u8]>>(row, 8)?.map(Bytes::copy_from_slice),
    })
}

/// Reads an attempt by [`ATTEMPT_COLUMNS`].
pub(in crate::postgres) fn attempt(row: &Row) -> Result<Attempt, Fault> {
    let failure = get::<Option<i16>>(row, 7)?.map(|code| encoding::failure(code.into()));
    Ok(Attempt {
        id: id(row, 0)?,
        app: id(row, 1)?,
        delivery: DeliveryKey {
            message: id(row, 2)?,
            endpoint: id(row, 3)?,
        },
        at: time(row, 4)?,
        trigger: if get(row, 5)? {
            Trigger::Manual
        } else {
            Trigger::Scheduled
        },
        status: get::<i16>(row, 6)?.cast_unsigned(),
        failure: failure.transpose().map_err(unreadable)?,
        url: get::<&str>(row, 8)?.into(),
        address: parsed_or_null(row, 9)?,
        detail: get::<Option<&str>>(row, 10)?.map(Into::into),
        timings: encoding::timings(get(row, 11)?).map_err(unreadable)?,
        headers: bytes(row, 12)?,
        body: bytes(row, 13)?,
    })
}

/// NULL stands for no bytes.
fn bytes(row: &Row, column: usize) -> Result<Bytes, Fault> {
    let held = get::<Option<&[u8]>>(row, column)?;
    Ok(held.map(Bytes::copy_from_slice).unwrap_or_default())
}
