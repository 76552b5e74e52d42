//! Reading what is due, by index and in bounded pages.

use std::collections::HashMap;
use std::sync::Arc;

use ringbolt_model::{EndpointId, Message, Timestamp, Trigger};

use crate::postgres::Fault;
use crate::postgres::column::{get, id, time, to_column};
use crate::postgres::link::{Link, params};
use crate::postgres::log::rows::{AFTER_MESSAGE, MESSAGE_COLUMNS, message};
use crate::{DuePage, LaneWork, StoredDelivery};

/// The rows of a lane, earliest first.
pub(in crate::postgres) const DUE: &str = "SELECT message_id, next_at, attempts, manual, app_id FROM delivery \
    WHERE owner = $1 AND endpoint_id = $2 ORDER BY next_at, message_id LIMIT $3";

/// One step down the index for each lane of a node, however many rows it has.
pub(in crate::postgres) const LANES: &str = "WITH RECURSIVE lane AS ( \
        (SELECT endpoint_id, next_at FROM delivery WHERE owner = $1 ORDER BY endpoint_id, next_at LIMIT 1) \
        UNION ALL \
        SELECT n.endpoint_id, n.next_at FROM lane l CROSS JOIN LATERAL ( \
            SELECT endpoint_id, next_at FROM delivery WHERE owner = $1 AND endpoint_id > l.endpoint_id \
            ORDER BY endpoint_id, next_at LIMIT 1) n) \
    SELECT l.endpoint_id, l.next_at FROM lane l JOIN endpoint e ON e.id = l.endpoint_id \
    WHERE e.deleted_at IS NULL AND e.disabled_since IS NULL ORDER BY l.endpoint_id";

/// Every endpoint with rows of this node that can be sent to.
pub(super) async fn lanes(link: Link<'_>, owner: i64) -> Result<Vec<LaneWork>, Fault> {
    let rows = link.all(LANES, params![owner]).await?;
    let lane = |row| {
        Ok(LaneWork {
            endpoint: id(row, 0)?,
            due: time(row, 1)?,
        })
    };
    rows.iter().map(lane).collect()
}

/// A row that is looked at for a page.
struct Waiting {
    message: i64,
    due: Timestamp,
    attempts: u32,
    trigger: Trigger,
}

/// The earliest deliveries of an endpoint that are due.
pub(super) async fn page(
    link: Link<'_>,
    owner: i64,
    endpoint: EndpointId,
    now: Timestamp,
    (limit, bytes): (usize, usize),
) -> Result<DuePage, Fault> {
    let lane = to_column(endpoint.raw());
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let rows = link.all(DUE, params![owner, lane, wanted]).await?;
    let app: i64 = rows.first().map_or(Ok(0), |row| get(row, 4))?;
    let mut waiting = Vec::with_capacity(rows.len());
    for row in &rows {
        waiting.push(Waiting {
            message: get(row, 0)?,
            due: time(row, 1)?,
            attempts: get::<i32>(row, 2)?.unsigned_abs(),
            trigger: if get(row, 3)? {
                Trigger::Manual
            } else {
                Trigger::Scheduled
            },
        });
    }
    let due = waiting.partition_point(|row| row.due <= now).min(limit);
    let found = messages(link, app, &waiting[..due], bytes).await?;
    Ok(fill(&waiting, due, found, now))
}

/// The messages of rows as far as their payloads have room, but one at least: how many were there to be had, and those.
struct Found {
    there: usize,
    messages: HashMap<i64, Message>,
}

async fn messages(
    link: Link<'_>,
    app: i64,
    waiting: &[Waiting],
    bytes: usize,
) -> Result<Found, Fault> {
    let ids: Vec<i64> = waiting.iter().map(|row| row.message).collect();
    let (Some(least), Some(most)) = (ids.iter().min().copied(), ids.iter().max().copied()) else {
        return Ok(Found {
            there: 0,
            messages: HashMap::new(),
        });
    };
    let room = i64::try_from(bytes).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {MESSAGE_COLUMNS}, m.there FROM ( \
            SELECT m.*, row_number() OVER so_far AS place, count(*) OVER () AS there, \
                sum(coalesce(octet_length(m.payload), 0)) OVER so_far AS bytes \
            FROM unnest($3) WITH ORDINALITY AS w(id, place) \
            JOIN message m ON m.app_id = $2 AND m.id = w.id AND m.id BETWEEN $4 AND $5 \
            WINDOW so_far AS (ORDER BY w.place)) m \
        WHERE m.place = 1 OR m.bytes <= $6"
    );
    let rows = link
        .all(&sql, params![true, app, ids, least, most, room])
        .await?;
    let mut found = Found {
        there: 0,
        messages: HashMap::with_capacity(rows.len()),
    };
    for row in &rows {
        found.there = usize::try_from(get::<i64>(row, AFTER_MESSAGE)?).unwrap_or(0);
        let message = message(row)?;
        found.messages.insert(to_column(message.id.raw()), message);
    }
    Ok(found)
}

/// The page. What was there and was not fetched, for want of room, begins the next one; what is not there leaves a row
/// that tidying ends.
fn fill(waiting: &[Waiting], due: usize, mut found: Found, now: Timestamp) -> DuePage {
    let all = found.there == found.messages.len();
    let mut page = DuePage {
        deliveries: Vec::with_capacity(found.messages.len()),
        more: false,
        next_due: None,
    };
    let mut end = 0;
    for row in &waiting[..due] {
        match found.messages.remove(&row.message) {
            Some(message) => page.deliveries.push(StoredDelivery {
                message: Arc::new(message),
                attempts: row.attempts,
                trigger: row.trigger,
                due: row.due,
            }),
            None if !all && found.messages.is_empty() => break,
            None => {}
        }
        end += 1;
    }
    page.next_due = waiting.get(end).map(|row| row.due);
    page.more = page.next_due.is_some_and(|next| next <= now);
    page
}

/// How many deliveries have rows, of whatever node.
pub(super) async fn pending(link: Link<'_>) -> Result<u64, Fault> {
    let row = link.one("SELECT count(*) FROM delivery", params![]).await?;
    Ok(get::<i64>(&row, 0)?.unsigned_abs())
}
