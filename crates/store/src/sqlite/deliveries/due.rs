//! Reading what is due, by index and in bounded pages.

use std::sync::Arc;

use ringbolt_model::{EndpointId, Message, MessageId, Timestamp, Trigger};
use rusqlite::{CachedStatement, Connection, OptionalExtension};

use crate::sqlite::Fault;
use crate::sqlite::log::rows::{MESSAGE_COLUMNS, id, message, to_column};
use crate::{DuePage, LaneWork, StoredDelivery};

pub(in crate::sqlite) const DUE: &str = "SELECT message_id, next_at, attempts, manual \
    FROM delivery INDEXED BY delivery_due \
    WHERE endpoint_id = ?1 AND state = 0 ORDER BY next_at, message_id";
pub(in crate::sqlite) const NEXT_LANE: &str = "SELECT endpoint_id, next_at \
    FROM delivery INDEXED BY delivery_due \
    WHERE state = 0 AND endpoint_id > ?1 ORDER BY endpoint_id, next_at LIMIT 1";
pub(in crate::sqlite) const PENDING: &str =
    "SELECT count(*) FROM delivery INDEXED BY delivery_due WHERE state = 0";
const WORKING: &str =
    "SELECT 1 FROM endpoint WHERE id = ?1 AND deleted_at IS NULL AND disabled_since IS NULL";

/// Every endpoint with pending deliveries that can be sent to: one step down the index for each,
/// however many deliveries it has.
pub(super) fn lanes(conn: &Connection) -> Result<Vec<LaneWork>, Fault> {
    let mut next = conn.prepare_cached(NEXT_LANE)?;
    let mut working = conn.prepare_cached(WORKING)?;
    let mut step = |after: i64| {
        next.query_row([after], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()
    };
    let (mut lanes, mut after) = (Vec::new(), i64::MIN);
    while let Some((endpoint, due)) = step(after)? {
        after = endpoint;
        if working.exists([endpoint])? {
            let endpoint = EndpointId::from(endpoint.cast_unsigned());
            lanes.push(LaneWork {
                endpoint,
                due: Timestamp::from_micros(due),
            });
        }
    }
    Ok(lanes)
}

/// The earliest deliveries of an endpoint that are due.
pub(super) fn page(
    conn: &Connection,
    endpoint: EndpointId,
    now: Timestamp,
    limit: usize,
    mut bytes: usize,
) -> Result<DuePage, Fault> {
    let mut statement = conn.prepare_cached(DUE)?;
    let mut messages = conn.prepare_cached(&format!(
        "SELECT {MESSAGE_COLUMNS} FROM message m WHERE m.id = ?2"
    ))?;
    let mut rows = statement.query([to_column(endpoint.raw())])?;
    let mut page = DuePage {
        deliveries: Vec::new(),
        more: false,
        next_due: None,
    };
    while let Some(row) = rows.next()? {
        let due = Timestamp::from_micros(row.get(1)?);
        let fits = page.deliveries.len() < limit && due <= now;
        let found = if fits {
            read(&mut messages, id(row, 0)?)?
        } else {
            None
        };
        let size = found
            .as_ref()
            .and_then(|m| m.payload.as_ref())
            .map_or(0, bytes::Bytes::len);
        if !fits || (size > bytes && !page.deliveries.is_empty()) {
            (page.more, page.next_due) = (due <= now, Some(due));
            break;
        }
        bytes = bytes.saturating_sub(size);
        let Some(message) = found else { continue };
        let trigger = if row.get(3)? {
            Trigger::Manual
        } else {
            Trigger::Scheduled
        };
        let message = Arc::new(message);
        page.deliveries.push(StoredDelivery {
            message,
            attempts: row.get(2)?,
            trigger,
            due,
        });
    }
    Ok(page)
}

fn read(messages: &mut CachedStatement<'_>, id: MessageId) -> rusqlite::Result<Option<Message>> {
    messages
        .query_row((true, to_column(id.raw())), message)
        .optional()
}

pub(super) fn pending(conn: &Connection) -> Result<u64, Fault> {
    let count: i64 = conn
        .prepare_cached(PENDING)?
        .query_row((), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
