//! Making deliveries pending again: one by hand, or the failed ones of an endpoint.

use ringbolt_model::{AppId, DeliveryKey, DeliveryState, EndpointId, MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use crate::lists::Window;
use crate::sqlite::Fault;
use crate::sqlite::fold::{self, Watermarks};
use crate::sqlite::log::rows::{self, to_column};
use crate::{Recovered, StoreError};

pub(in crate::sqlite) const FAILED: &str = "SELECT d.message_id, \
    EXISTS (SELECT 1 FROM message m WHERE m.id = d.message_id AND typeof(m.payload) <> 'null' \
        AND NOT EXISTS (SELECT 1 FROM gone_content g WHERE g.id = m.id)) \
    FROM delivery d INDEXED BY delivery_failed \
    WHERE d.endpoint_id = ?1 AND d.state = 2 AND d.message_id > ?2 AND d.message_id < ?3 \
    ORDER BY d.message_id LIMIT ?4";

/// How many failed deliveries a step looks at for each that it may take.
const LOOKED_AT: usize = 4;

/// Makes a delivery pending; says `false` if its message's content is gone.
pub(super) fn resend(
    tx: &Connection,
    watermarks: &Watermarks,
    app: AppId,
    key: DeliveryKey,
    now: Timestamp,
) -> Result<bool, Fault> {
    let (endpoint, message) = (to_column(key.endpoint.raw()), to_column(key.message.raw()));
    let sql = "SELECT typeof(payload) <> 'null' AND NOT EXISTS (SELECT 1 FROM gone_content g WHERE g.id = m.id) \
        FROM message m WHERE id = ?1 AND app_id = ?2";
    let app = to_column(app.raw());
    let present: bool = tx
        .prepare_cached(sql)?
        .query_row((message, app), |row| row.get(0))?;
    let sql = "SELECT 1 FROM endpoint WHERE id = ?1 AND app_id = ?2 AND deleted_at IS NULL";
    if !tx.prepare_cached(sql)?.exists((endpoint, app))? {
        return Err(StoreError::NotFound.into());
    }
    if !present {
        return Ok(false);
    }
    let was = if fold::owe(tx, watermarks, key.message.raw(), key.endpoint.raw())? {
        Standing::Row(DeliveryState::Pending)
    } else {
        standing(tx, endpoint, message)?
    };
    match was {
        Standing::InMemory => return Ok(true),
        Standing::Row(DeliveryState::Pending) => {}
        Standing::Row(settled) => {
            fold::reopened(tx, key.endpoint.raw(), key.message.raw(), settled)?;
        }
    }
    let sql = "INSERT INTO delivery (endpoint_id, message_id, state, next_at, attempts, manual) \
        VALUES (?1, ?2, 0, ?3, 0, 1) ON CONFLICT DO UPDATE \
        SET state = 0, next_at = ?3, attempts = 0, manual = 1, reason = NULL";
    tx.prepare_cached(sql)?
        .execute((endpoint, message, now.as_micros()))?;
    Ok(true)
}

/// Where a delivery to a target stands.
enum Standing {
    /// It has, or could have, a row with this state.
    Row(DeliveryState),
    /// It is fresh: its open mark covers it, and a lane will try it.
    InMemory,
}

fn standing(tx: &Connection, endpoint: i64, message: i64) -> Result<Standing, Fault> {
    let sql = "SELECT state FROM delivery WHERE endpoint_id = ?1 AND message_id = ?2";
    let row = tx
        .prepare_cached(sql)?
        .query_row((endpoint, message), |row| row.get(0))
        .optional()?;
    if let Some(state) = row {
        return Ok(Standing::Row(rows::state(state)?));
    }
    let sql = "SELECT 1 FROM attempt INDEXED BY attempt_by_message \
        WHERE message_id = ?2 AND endpoint_id = ?1 AND failure IS NULL";
    let succeeded = tx.prepare_cached(sql)?.exists((endpoint, message))?;
    let sql = "SELECT 1 FROM open_message WHERE id = ?1";
    let open = tx.prepare_cached(sql)?.exists([message])?;
    Ok(if open && !succeeded {
        Standing::InMemory
    } else {
        Standing::Row(DeliveryState::Delivered)
    })
}

/// Makes failed deliveries pending whose content is there.
pub(super) fn recover(
    tx: &Connection,
    endpoint: EndpointId,
    window: Window,
    limit: usize,
    now: Timestamp,
) -> Result<Recovered, Fault> {
    let lane = to_column(endpoint.raw());
    let looked_at = limit.saturating_mul(LOOKED_AT);
    let most = i64::try_from(looked_at).unwrap_or(i64::MAX);
    let sql = "UPDATE delivery SET state = 0, next_at = ?3, attempts = 0, manual = 1, reason = NULL \
        WHERE endpoint_id = ?1 AND message_id = ?2";
    let found: Vec<(i64, bool)> = tx
        .prepare_cached(FAILED)?
        .query_map((lane, window.after, window.before, most), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut update = tx.prepare_cached(sql)?;
    let (mut deliveries, mut last) = (0, None);
    for (message, present) in &found {
        if deliveries == limit {
            break;
        }
        last = Some(MessageId::from(message.cast_unsigned()));
        if *present {
            update.execute((lane, message, now.as_micros()))?;
            fold::reopened(
                tx,
                endpoint.raw(),
                message.cast_unsigned(),
                DeliveryState::Failed,
            )?;
            deliveries += 1;
        }
    }
    let done = found.len() < looked_at
        && found
            .last()
            .map(|(message, _)| MessageId::from(message.cast_unsigned()))
            == last;
    Ok(Recovered {
        deliveries,
        reached: last.filter(|_| !done),
    })
}
