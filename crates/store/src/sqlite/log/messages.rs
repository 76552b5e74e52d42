//! Messages: one, those of an application, those owed to an endpoint.

use ringbolt_model::{AppId, EndpointId, Message, MessageId};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, AFTER_MESSAGE, MESSAGE_COLUMNS, to_column};
use super::standing::{self, Standing};
use super::{direction, watermarks};
use crate::lists::{ADJACENT, Gathering, LOOKED_UP, Labels, Source, Span, stands_so};
use crate::{DeliveryView, Listing, MessageFilter, MessageRef, Order, Page};

/// What of an endpoint decides how its deliveries stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) app: i64,
    pub(super) disabled: bool,
    pub(super) deleted: bool,
}

pub(super) const OWNER: &str = "SELECT app_id, disabled_since IS NOT NULL, deleted_at IS NOT NULL \
    FROM endpoint WHERE id = ?1";

pub(super) fn by_id() -> String {
    format!("SELECT {MESSAGE_COLUMNS} FROM message m WHERE m.id = ?2 AND m.app_id = ?3")
}

pub(super) fn by_event_id() -> String {
    format!(
        "SELECT {MESSAGE_COLUMNS} FROM message m INDEXED BY message_by_event_id \
         WHERE m.event_id = ?2 AND m.app_id = ?3 ORDER BY m.id DESC LIMIT 1"
    )
}

pub(super) fn of_application_sql(order: Order) -> String {
    format!(
        "SELECT {MESSAGE_COLUMNS} FROM message m INDEXED BY message_by_app \
         WHERE m.app_id = ?2 AND m.id BETWEEN ?3 AND ?4 ORDER BY m.id {} LIMIT ?5",
        direction(order)
    )
}

pub(super) fn of_endpoint_folded_sql(order: Order) -> String {
    format!(
        "SELECT {MESSAGE_COLUMNS}, d.state, d.next_at, \
                EXISTS (SELECT 1 FROM open_message o WHERE o.id = m.id) \
         FROM message_by_endpoint f CROSS JOIN message m ON m.id = f.message_id \
         LEFT JOIN delivery d ON d.endpoint_id = f.endpoint_id AND d.message_id = f.message_id \
         WHERE f.endpoint_id = ?2 AND f.message_id BETWEEN ?3 AND ?4 \
         ORDER BY f.message_id {} LIMIT ?5",
        direction(order)
    )
}

pub(super) fn of_endpoint_tail_sql(order: Order) -> String {
    format!(
        "SELECT m.id, m.targets FROM message m INDEXED BY message_by_app \
         WHERE m.app_id = ?1 AND m.id BETWEEN ?2 AND ?3 ORDER BY m.id {} LIMIT ?4",
        direction(order)
    )
}

pub(super) fn owed_by_id() -> String {
    format!(
        "SELECT {MESSAGE_COLUMNS}, d.state, d.next_at, \
                EXISTS (SELECT 1 FROM open_message o WHERE o.id = m.id) \
         FROM message m LEFT JOIN delivery d ON d.endpoint_id = ?2 AND d.message_id = m.id \
         WHERE m.id = ?3"
    )
}

/// One message of an application.
pub(super) fn one(
    conn: &Connection,
    app: AppId,
    message: &MessageRef,
    with_content: bool,
) -> rusqlite::Result<Option<Message>> {
    let app = to_column(app.raw());
    match message {
        MessageRef::Id(id) => conn.prepare_cached(&by_id())?.query_row(
            params![with_content, to_column(id.raw()), app],
            rows::message,
        ),
        MessageRef::EventId(event_id) => conn
            .prepare_cached(&by_event_id())?
            .query_row(params![with_content, event_id.as_str(), app], rows::message),
    }
    .optional()
}

/// Messages of an application.
pub(super) fn of_application(
    conn: &Connection,
    app: AppId,
    filter: &MessageFilter,
    page: &Page<MessageId>,
) -> rusqlite::Result<Listing<Message, MessageId>> {
    let span = Span::of(page, MessageId::raw, filter.after, filter.before);
    let mut gathering = Gathering::new(page.limit);
    let mut statement = conn.prepare_cached(&of_application_sql(page.order))?;
    let found = statement.query(params![
        filter.with_content,
        to_column(app.raw()),
        span.low,
        span.high,
        gathering.rows_wanted(LOOKED_UP)
    ])?;
    let source = gathering.take(LOOKED_UP, found, |row| {
        let message = rows::message(row)?;
        Ok(wanted(filter, &message).then(|| with_size(message)))
    })?;
    Ok(gathering.end(source))
}

/// Messages owed to an endpoint; `None` if there is no such endpoint.
pub(super) fn of_endpoint(
    conn: &Connection,
    endpoint: EndpointId,
    filter: &MessageFilter,
    page: &Page<MessageId>,
) -> rusqlite::Result<Option<Listing<(Message, DeliveryView), MessageId>>> {
    let Some(owner) = owner(conn, endpoint)?.filter(|owner| !owner.deleted) else {
        return Ok(None);
    };
    let span = Span::of(page, MessageId::raw, filter.after, filter.before);
    let (folded, tail) = span.split(watermarks(conn)?.message);
    let mut list = Owed {
        conn,
        endpoint,
        owner,
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

/// The list of messages owed to an endpoint.
struct Owed<'a> {
    conn: &'a Connection,
    endpoint: EndpointId,
    owner: Owner,
    filter: &'a MessageFilter,
    gathering: Gathering<(Message, DeliveryView), MessageId>,
}

impl Owed<'_> {
    fn folded(&mut self, span: Span, order: Order) -> rusqlite::Result<Source> {
        let mut statement = self.conn.prepare_cached(&of_endpoint_folded_sql(order))?;
        let found = statement.query(params![
            self.filter.with_content,
            to_column(self.endpoint.raw()),
            span.low,
            span.high,
            self.gathering.rows_wanted(LOOKED_UP)
        ])?;
        let (conn, endpoint, owner, filter) = (self.conn, self.endpoint, self.owner, self.filter);
        self.gathering.take(LOOKED_UP, found, |row| {
            item(conn, endpoint, owner, filter, row)
        })
    }

    fn tail(&mut self, span: Span, order: Order) -> rusqlite::Result<Source> {
        let mut statement = self.conn.prepare_cached(&of_endpoint_tail_sql(order))?;
        let found = statement.query(params![
            self.owner.app,
            span.low,
            span.high,
            self.gathering.rows_wanted(ADJACENT)
        ])?;
        let (conn, endpoint, owner, filter) = (self.conn, self.endpoint, self.owner, self.filter);
        let mut owed = conn.prepare_cached(&owed_by_id())?;
        self.gathering.take(ADJACENT, found, |row| {
            if !rows::targets(row.get_ref(1)?.as_blob()?).any(|target| target == endpoint.raw()) {
                return Ok(None);
            }
            let key: i64 = row.get(0)?;
            let owner_key = to_column(endpoint.raw());
            owed.query_row(params![filter.with_content, owner_key, key], |row| {
                item(conn, endpoint, owner, filter, row)
            })
        })
    }
}

fn item(
    conn: &Connection,
    endpoint: EndpointId,
    owner: Owner,
    filter: &MessageFilter,
    row: &rusqlite::Row<'_>,
) -> rusqlite::Result<Option<((Message, DeliveryView), usize)>> {
    let message = rows::message(row)?;
    if !wanted(filter, &message) {
        return Ok(None);
    }
    let standing = Standing {
        row: row
            .get::<_, Option<i64>>(AFTER_MESSAGE)?
            .map(rows::state)
            .transpose()?,
        next_at: row.get(AFTER_MESSAGE + 1)?,
        open: row.get(AFTER_MESSAGE + 2)?,
    };
    let succeeded = || standing::succeeded(conn, message.id, endpoint);
    let view = standing.view(message.id, owner, succeeded)?;
    if !filter
        .status
        .is_none_or(|status| stands_so(status, view.state))
    {
        return Ok(None);
    }
    let (message, bytes) = with_size(message);
    Ok(Some(((message, view), bytes)))
}

/// What of an endpoint decides how its deliveries stand; `None` if there is no such endpoint.
pub(super) fn owner(conn: &Connection, endpoint: EndpointId) -> rusqlite::Result<Option<Owner>> {
    conn.prepare_cached(OWNER)?
        .query_row([to_column(endpoint.raw())], |row| {
            Ok(Owner {
                app: row.get(0)?,
                disabled: row.get(1)?,
                deleted: row.get(2)?,
            })
        })
        .optional()
}

fn with_size(message: Message) -> (Message, usize) {
    let bytes = message.payload.as_ref().map_or(0, bytes::Bytes::len);
    (message, bytes)
}

fn wanted(filter: &MessageFilter, message: &Message) -> bool {
    Labels::of_messages(filter).take(&message.event_type, &message.channels, &message.tags)
}
