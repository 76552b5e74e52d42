//! Messages: one, and those of an application.

use std::collections::HashMap;

use ringbolt_model::{AppId, EventTypeName, Message, MessageId};
use tokio_postgres::Row;

use super::is_there;
use super::parts::{beyond, direction, offer, rows_of_part};
use super::rows::{self, MESSAGE_COLUMNS};
use crate::lists::{Gathering, Labels, Source, Span};
use crate::postgres::Fault;
use crate::postgres::column::{get, id, labels, parsed, to_column};
use crate::postgres::link::{Link, params};
use crate::{Listing, MessageFilter, MessageRef, Order, Page};

/// How many bytes of content a message brings along, if content is wanted: `$1` says so.
pub(super) const BYTES: &str = "CASE WHEN $1 THEN coalesce(octet_length(m.payload), 0) ELSE 0 END";

fn by_id() -> String {
    let there = is_there("m.app_id", "m.id");
    format!("SELECT {MESSAGE_COLUMNS} FROM message m WHERE m.app_id = $2 AND m.id = $3 AND {there}")
}

fn by_event_id() -> String {
    let there = is_there("m.app_id", "m.id");
    format!(
        "SELECT {MESSAGE_COLUMNS} FROM message m \
         WHERE m.app_id = $2 AND m.event_id = $3 AND {there} ORDER BY m.id DESC LIMIT 1"
    )
}

/// The bounds let days be passed by that have none of the messages.
fn by_ids() -> String {
    format!(
        "SELECT {MESSAGE_COLUMNS} FROM message m \
         WHERE m.app_id = $2 AND m.id = ANY($3) AND m.id BETWEEN $4 AND $5"
    )
}

fn of_application_sql(order: Order) -> String {
    let (there, direction) = (is_there("m.app_id", "m.id"), direction(order));
    format!(
        "SELECT m.id, m.event_type, m.channels, m.tags, {BYTES}, {there} FROM message m \
         WHERE m.app_id = $2 AND m.id BETWEEN $3 AND $4 ORDER BY m.id {direction} LIMIT $5"
    )
}

/// Statements with the index that each walks.
#[cfg(test)]
pub(super) fn plans() -> Vec<(String, &'static str)> {
    vec![
        (by_id(), "_pkey"),
        (by_event_id(), "app_id_event_id_id_idx"),
        (by_ids(), "_pkey"),
        (of_application_sql(Order::Ascending), "_pkey"),
        (of_application_sql(Order::Descending), "_pkey"),
    ]
}

/// One message of an application.
pub(super) async fn one(
    link: Link<'_>,
    app: AppId,
    message: &MessageRef,
    with_content: bool,
) -> Result<Message, Fault> {
    let app = to_column(app.raw());
    let row = match message {
        MessageRef::Id(id) => {
            let key = to_column(id.raw());
            link.one(&by_id(), params![with_content, app, key]).await?
        }
        MessageRef::EventId(event_id) => {
            let event_id = event_id.as_str();
            link.one(&by_event_id(), params![with_content, app, event_id])
                .await?
        }
    };
    rows::message(&row)
}

/// Messages of an application.
pub(super) async fn of_application(
    link: Link<'_>,
    app: AppId,
    filter: &MessageFilter,
    page: &Page<MessageId>,
) -> Result<Listing<Message, MessageId>, Fault> {
    let wanted = Labels::of_messages(filter);
    let sql = of_application_sql(page.order);
    let key = to_column(app.raw());
    let mut span = Span::of(page, MessageId::raw, filter.after, filter.before);
    let mut gathering = Gathering::new(page.limit);
    let source = loop {
        let part = rows_of_part(&gathering, !wanted.take_all());
        let found = params![filter.with_content, key, span.low, span.high, part];
        let found = link.all(&sql, found).await?;
        let taken = offer(&mut gathering, &found, |row| head(row, wanted))?;
        match found.last() {
            Some(last) if taken == Source::Exhausted && found.len() as i64 == part => {
                span = beyond(span, get(last, 0)?, page.order);
            }
            _ => break taken,
        }
    };
    let listing = gathering.end(source);
    let mut messages = of(link, app, &listing.items, filter.with_content).await?;
    Ok(Listing {
        items: listing
            .items
            .iter()
            .filter_map(|id| messages.remove(id))
            .collect(),
        reached: listing.reached,
        done: listing.done,
    })
}

/// Whether a message that is listed is an item of the page, and how many bytes it carries.
fn head(row: &Row, wanted: Labels<'_>) -> Result<Option<(MessageId, usize)>, Fault> {
    if !get::<bool>(row, 5)? || !(wanted.take_all() || is_wanted(row, wanted)?) {
        return Ok(None);
    }
    Ok(Some((id(row, 0)?, bytes(row, 4)?)))
}

/// Whether the message whose event type, channels and tags are in the columns from the second on is wanted.
fn is_wanted(row: &Row, wanted: Labels<'_>) -> Result<bool, Fault> {
    let event_type: EventTypeName = parsed(row, 1)?;
    Ok(wanted.take(&event_type, &labels(row, 2)?, &labels(row, 3)?))
}

/// A number of bytes.
pub(super) fn bytes(row: &Row, column: usize) -> Result<usize, Fault> {
    Ok(usize::try_from(get::<i32>(row, column)?).unwrap_or_default())
}

/// These messages, by id.
pub(super) async fn of(
    link: Link<'_>,
    app: AppId,
    ids: &[MessageId],
    with_content: bool,
) -> Result<HashMap<MessageId, Message>, Fault> {
    let keys: Vec<i64> = ids.iter().map(|id| to_column(id.raw())).collect();
    let (Some(low), Some(high)) = (keys.iter().min().copied(), keys.iter().max().copied()) else {
        return Ok(HashMap::new());
    };
    let app = to_column(app.raw());
    let found = params![with_content, app, keys, low, high];
    let mut messages = HashMap::with_capacity(ids.len());
    for row in &link.all(&by_ids(), found).await? {
        let message = rows::message(row)?;
        messages.insert(message.id, message);
    }
    Ok(messages)
}
