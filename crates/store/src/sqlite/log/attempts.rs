//! Attempts: one, those at a message, those at an endpoint's deliveries.

use ringbolt_model::{AppId, Attempt, AttemptId, EndpointId, EventTypeName, MessageId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::messages::owner;
use super::rows::{self, ATTEMPT_COLUMNS, to_column};
use super::{direction, watermarks};
use crate::lists::{ADJACENT, Gathering, LOOKED_UP, Labels, Source, Span, attempt_is_wanted};
use crate::{AttemptFilter, Listing, Order, Page, StatusFilter};

pub(super) fn by_id() -> String {
    format!("SELECT {ATTEMPT_COLUMNS} FROM attempt a WHERE a.id = ?2")
}

pub(super) const OF_MESSAGE: &str = "SELECT event_type, channels, tags FROM message WHERE id = ?1";

pub(super) const MESSAGE_EXISTS: &str =
    "SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1 AND app_id = ?2)";

pub(super) fn of_message_sql(order: Order) -> String {
    format!(
        "SELECT {ATTEMPT_COLUMNS} FROM attempt a INDEXED BY attempt_by_message \
         WHERE a.message_id = ?2 AND a.id BETWEEN ?3 AND ?4 ORDER BY a.id {} LIMIT ?5",
        direction(order)
    )
}

pub(super) fn of_endpoint_folded_sql(order: Order) -> String {
    format!(
        "SELECT {ATTEMPT_COLUMNS} FROM attempt_by_endpoint f \
         CROSS JOIN attempt a ON a.id = f.attempt_id \
         WHERE f.endpoint_id = ?2 AND f.attempt_id BETWEEN ?3 AND ?4 \
         ORDER BY f.attempt_id {} LIMIT ?5",
        direction(order)
    )
}

pub(super) fn of_endpoint_tail_sql(order: Order) -> String {
    format!(
        "SELECT a.id, a.endpoint_id FROM attempt a NOT INDEXED \
         WHERE a.id BETWEEN ?1 AND ?2 ORDER BY a.id {} LIMIT ?3",
        direction(order)
    )
}

/// One attempt at a message.
pub(super) fn one(
    conn: &Connection,
    app: AppId,
    message: MessageId,
    attempt: AttemptId,
) -> rusqlite::Result<Option<Attempt>> {
    let found = conn
        .prepare_cached(&by_id())?
        .query_row(params![true, to_column(attempt.raw())], rows::attempt)
        .optional()?;
    Ok(found.filter(|found| found.app == app && found.delivery.message == message))
}

/// The latest failed one at an endpoint among those that are folded, or this one; without content.
pub(super) fn latest_failure(
    conn: &Connection,
    endpoint: EndpointId,
    unfolded: Option<i64>,
) -> rusqlite::Result<Option<Attempt>> {
    if let Some(key) = unfolded {
        let mut statement = conn.prepare_cached(&by_id())?;
        return statement
            .query_row(params![false, key], rows::attempt)
            .optional();
    }
    let filter = AttemptFilter {
        status: Some(StatusFilter::Fail),
        ..AttemptFilter::default()
    };
    let latest = Page {
        limit: 1,
        order: Order::Descending,
        after: None,
    };
    let (folded, _) =
        Span::of(&latest, AttemptId::raw, None, None).split(watermarks(conn)?.attempt);
    let mut list = Made {
        conn,
        endpoint,
        filter: &filter,
        gathering: Gathering::new(latest.limit),
    };
    let source = list.folded(folded, latest.order)?;
    Ok(list.gathering.end(source).items.pop())
}

/// Attempts at a message; `None` if there is no such message.
pub(super) fn of_message(
    conn: &Connection,
    app: AppId,
    message: MessageId,
    filter: &AttemptFilter,
    page: &Page<AttemptId>,
) -> rusqlite::Result<Option<Listing<Attempt, AttemptId>>> {
    let (key, app) = (to_column(message.raw()), to_column(app.raw()));
    let exists = |row: &Row<'_>| row.get(0);
    if !conn
        .prepare_cached(MESSAGE_EXISTS)?
        .query_row([key, app], exists)?
    {
        return Ok(None);
    }
    let span = Span::of(page, AttemptId::raw, filter.after, filter.before);
    let mut gathering = Gathering::new(page.limit);
    let mut statement = conn.prepare_cached(&of_message_sql(page.order))?;
    let wanted = gathering.rows_wanted(LOOKED_UP);
    let found = statement.query(params![
        filter.with_content,
        key,
        span.low,
        span.high,
        wanted
    ])?;
    let source = gathering.take(LOOKED_UP, found, |row| item(conn, filter, row))?;
    Ok(Some(gathering.end(source)))
}

/// Attempts at deliveries to an endpoint; `None` if there is no such endpoint.
pub(super) fn of_endpoint(
    conn: &Connection,
    endpoint: EndpointId,
    filter: &AttemptFilter,
    page: &Page<AttemptId>,
) -> rusqlite::Result<Option<Listing<Attempt, AttemptId>>> {
    if owner(conn, endpoint)?.is_none_or(|owner| owner.deleted) {
        return Ok(None);
    }
    let span = Span::of(page, AttemptId::raw, filter.after, filter.before);
    let (folded, tail) = span.split(watermarks(conn)?.attempt);
    let mut list = Made {
        conn,
        endpoint,
        filter,
        gathering: Gathering::new(page.limit),
    };
    let source = match page.order {
        Order::Ascending => match list.folded(folded, page.order)? {
            Source::Exhausted => list.tail(tail, page.order)?,
            more => more,
        },
        Order::Descending => match list.tail(tail, page.order)? {
            Source::Exhausted => list.folded(folded, page.order)?,
            more => more,
        },
    };
    Ok(Some(list.gathering.end(source)))
}

/// The list of attempts made at an endpoint's deliveries.
struct Made<'a> {
    conn: &'a Connection,
    endpoint: EndpointId,
    filter: &'a AttemptFilter,
    gathering: Gathering<Attempt, AttemptId>,
}

impl Made<'_> {
    fn folded(&mut self, span: Span, order: Order) -> rusqlite::Result<Source> {
        let mut statement = self.conn.prepare_cached(&of_endpoint_folded_sql(order))?;
        let found = statement.query(params![
            self.filter.with_content,
            to_column(self.endpoint.raw()),
            span.low,
            span.high,
            self.gathering.rows_wanted(LOOKED_UP)
        ])?;
        let (conn, filter) = (self.conn, self.filter);
        self.gathering
            .take(LOOKED_UP, found, |row| item(conn, filter, row))
    }

    fn tail(&mut self, span: Span, order: Order) -> rusqlite::Result<Source> {
        let mut statement = self.conn.prepare_cached(&of_endpoint_tail_sql(order))?;
        let wanted = self.gathering.rows_wanted(ADJACENT);
        let found = statement.query(params![span.low, span.high, wanted])?;
        let (conn, filter) = (self.conn, self.filter);
        let endpoint = to_column(self.endpoint.raw());
        let mut one = conn.prepare_cached(&by_id())?;
        self.gathering.take(ADJACENT, found, |row| {
            if row.get::<_, i64>(1)? != endpoint {
                return Ok(None);
            }
            let key: i64 = row.get(0)?;
            one.query_row(params![filter.with_content, key], |row| {
                item(conn, filter, row)
            })
        })
    }
}

fn item(
    conn: &Connection,
    filter: &AttemptFilter,
    row: &Row<'_>,
) -> rusqlite::Result<Option<(Attempt, usize)>> {
    let attempt = rows::attempt(row)?;
    if !wanted(filter, &attempt) || !message_wanted(conn, filter, attempt.delivery.message)? {
        return Ok(None);
    }
    let bytes = attempt.body.len() + attempt.headers.len();
    Ok(Some((attempt, bytes)))
}

fn wanted(filter: &AttemptFilter, attempt: &Attempt) -> bool {
    let endpoint = attempt.delivery.endpoint;
    attempt_is_wanted(filter, attempt.succeeded(), attempt.status, endpoint)
}

fn message_wanted(
    conn: &Connection,
    filter: &AttemptFilter,
    message: MessageId,
) -> rusqlite::Result<bool> {
    let labels = Labels::of_attempts(filter);
    if labels.take_all() {
        return Ok(true);
    }
    let mut statement = conn.prepare_cached(OF_MESSAGE)?;
    let wanted = statement.query_row([to_column(message.raw())], |row| {
        let event_type: EventTypeName = rows::parsed(row, 0)?;
        Ok(labels.take(&event_type, &rows::labels(row, 1)?, &rows::labels(row, 2)?))
    });
    Ok(wanted.optional()?.unwrap_or(false))
}
