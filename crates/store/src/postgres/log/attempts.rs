//! Attempts: one, those at a message, those at an endpoint's deliveries.

use std::collections::HashMap;
use std::time::Duration;

use ringbolt_model::{AppId, Attempt, AttemptId, EndpointId, EventTypeName, MessageId, id as ids};
use tokio_postgres::Row;

use super::is_there;
use super::messages::bytes;
use super::parts::{beyond, direction, offer, rows_of_part};
use super::rows::{self, ATTEMPT_COLUMNS};
use super::standing::owner;
use crate::lists::{Gathering, Labels, Source, Span, attempt_is_wanted};
use crate::postgres::Fault;
use crate::postgres::column::{get, id, labels, parsed, to_column};
use crate::postgres::link::{Link, params};
use crate::{AttemptFilter, Listing, Order, Page};

/// By so much an attempt's id may be older than its message's, which another node has made.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3600);

/// What decides whether an attempt is listed. The message's labels are read only if a filter asks for them.
fn heads(page: &str, with_labels: bool) -> String {
    let there = is_there("a.app_id", "a.message_id");
    let (columns, join) = if with_labels {
        let join = "LEFT JOIN message m ON m.app_id = a.app_id AND m.id = a.message_id";
        ("m.event_type, m.channels, m.tags", join)
    } else {
        ("NULL, NULL, NULL", "")
    };
    format!(
        "SELECT a.id, {there}, a.endpoint_id, a.status, a.failed, a.bytes, a.message_id, {columns} FROM ({page}) a {join}"
    )
}

/// The columns of a page of attempts.
const PAGE: &str = "SELECT a.id, a.app_id, a.message_id, a.endpoint_id, a.status, a.failure IS NOT NULL AS failed, \
    CASE WHEN $1 THEN coalesce(octet_length(a.headers), 0) + coalesce(octet_length(a.body), 0) ELSE 0 END AS bytes \
    FROM attempt a";

fn of_endpoint_sql(order: Order, with_labels: bool) -> String {
    let page = format!(
        "{PAGE} WHERE a.app_id = $2 AND a.endpoint_id = $3 AND a.id BETWEEN $4 AND $5 ORDER BY a.id {} LIMIT $6",
        direction(order)
    );
    heads(&page, with_labels)
}

fn of_message_sql(order: Order) -> String {
    let page = format!(
        "{PAGE} WHERE a.app_id = $2 AND a.message_id = $3 AND a.id BETWEEN $4 AND $5 ORDER BY a.id {} LIMIT $6",
        direction(order)
    );
    heads(&page, false)
}

fn by_id() -> String {
    let there = is_there("a.app_id", "a.message_id");
    format!(
        "SELECT {ATTEMPT_COLUMNS} FROM attempt a \
         WHERE a.app_id = $2 AND a.message_id = $3 AND a.id = $4 AND {there}"
    )
}

/// Each is looked up by its whole key, in its own day.
fn by_keys() -> String {
    format!(
        "SELECT {ATTEMPT_COLUMNS} FROM unnest($3::bigint[], $4::bigint[]) AS w(message_id, id) \
         CROSS JOIN LATERAL (SELECT * FROM attempt \
            WHERE app_id = $2 AND message_id = w.message_id AND id = w.id OFFSET 0) a"
    )
}

/// Statements with the index that each walks.
#[cfg(test)]
pub(super) fn plans() -> Vec<(String, &'static str)> {
    let mut plans = vec![(by_id(), "_pkey"), (by_keys(), "_pkey")];
    for order in [Order::Ascending, Order::Descending] {
        plans.push((of_message_sql(order), "_pkey"));
        plans.push((of_endpoint_sql(order, false), "app_id_endpoint_id_id_idx"));
        plans.push((of_endpoint_sql(order, true), "app_id_endpoint_id_id_idx"));
    }
    plans
}

/// One attempt at a message.
pub(super) async fn one(
    link: Link<'_>,
    app: AppId,
    message: MessageId,
    attempt: AttemptId,
) -> Result<Attempt, Fault> {
    let (app, message) = (to_column(app.raw()), to_column(message.raw()));
    let key = to_column(attempt.raw());
    let row = link.one(&by_id(), params![true, app, message, key]).await?;
    rows::attempt(&row)
}

/// Attempts at a message.
pub(super) async fn of_message(
    link: Link<'_>,
    app: AppId,
    message: MessageId,
    filter: &AttemptFilter,
    page: &Page<AttemptId>,
) -> Result<Listing<Attempt, AttemptId>, Fault> {
    let there = is_there("m.app_id", "m.id");
    let sql = format!(
        "SELECT m.id, m.event_type, m.channels, m.tags FROM message m WHERE m.app_id = $1 AND m.id = $2 AND {there}"
    );
    let (app, key) = (to_column(app.raw()), to_column(message.raw()));
    let row = link.one(&sql, params![app, key]).await?;
    if !is_wanted(&row, 1, Labels::of_attempts(filter))? {
        return Ok(Listing {
            items: Vec::new(),
            reached: None,
            done: true,
        });
    }
    let first = to_column(ids::at_millisecond(message.time() - CLOCKS_DIFFER));
    let span = Span::of(page, AttemptId::raw, filter.after, filter.before);
    let span = Span {
        low: span.low.max(first),
        ..span
    };
    let list = Attempts {
        sql: of_message_sql(page.order),
        of: (app, key),
        with_labels: false,
        is_selective: filter.status.is_some()
            || filter.status_class.is_some()
            || filter.endpoint.is_some(),
    };
    list.page(link, span, filter, page).await
}

/// Attempts at deliveries to an endpoint.
pub(super) async fn of_endpoint(
    link: Link<'_>,
    endpoint: EndpointId,
    filter: &AttemptFilter,
    page: &Page<AttemptId>,
) -> Result<Listing<Attempt, AttemptId>, Fault> {
    let owner = owner(link, endpoint).await?;
    let with_labels = !Labels::of_attempts(filter).take_all();
    let list = Attempts {
        sql: of_endpoint_sql(page.order, with_labels),
        of: (owner.app, to_column(endpoint.raw())),
        with_labels,
        is_selective: with_labels || filter.status.is_some() || filter.status_class.is_some(),
    };
    let span = Span::of(page, AttemptId::raw, filter.after, filter.before);
    list.page(link, span, filter, page).await
}

/// What an attempt is looked up by.
type Key = (MessageId, AttemptId);

/// A list of attempts: those of an application that have this message, or this endpoint.
struct Attempts {
    sql: String,
    of: (i64, i64),
    with_labels: bool,
    is_selective: bool,
}

impl Attempts {
    async fn page(
        &self,
        link: Link<'_>,
        mut span: Span,
        filter: &AttemptFilter,
        page: &Page<AttemptId>,
    ) -> Result<Listing<Attempt, AttemptId>, Fault> {
        let (app, of) = self.of;
        let mut gathering = Gathering::new(page.limit);
        let source = loop {
            let part = rows_of_part(&gathering, self.is_selective);
            let wanted = params![filter.with_content, app, of, span.low, span.high, part];
            let mut found = link.all(&self.sql, wanted).await?;
            sort(&mut found, page.order)?;
            let taken = offer(&mut gathering, &found, |row| self.head(row, filter))?;
            match found.last() {
                Some(last) if taken == Source::Exhausted && found.len() as i64 == part => {
                    span = beyond(span, get(last, 0)?, page.order);
                }
                _ => break taken,
            }
        };
        let listing = gathering.end(source);
        Ok(Listing {
            items: these(link, app, &listing.items, filter.with_content).await?,
            reached: listing.reached,
            done: listing.done,
        })
    }

    /// Whether an attempt is an item of the page, and how many bytes it carries.
    fn head(&self, row: &Row, filter: &AttemptFilter) -> Result<Option<(Key, usize)>, Fault> {
        let status = get::<i16>(row, 3)?.cast_unsigned();
        let succeeded = !get::<bool>(row, 4)?;
        let wanted = get(row, 1)?
            && attempt_is_wanted(filter, succeeded, status, id(row, 2)?)
            && (!self.with_labels || is_wanted(row, 7, Labels::of_attempts(filter))?);
        let key = (id(row, 6)?, id(row, 0)?);
        Ok(wanted.then_some((key, bytes(row, 5)?)))
    }
}

/// A join need not keep the order of what it joins.
fn sort(rows: &mut [Row], order: Order) -> Result<(), Fault> {
    for row in rows.iter() {
        get::<i64>(row, 0)?;
    }
    rows.sort_by_key(|row| row.get::<_, i64>(0));
    if order == Order::Descending {
        rows.reverse();
    }
    Ok(())
}

/// Whether the message whose event type, channels and tags are in the columns from this one on is wanted; one that is gone
/// is not.
fn is_wanted(row: &Row, from: usize, wanted: Labels<'_>) -> Result<bool, Fault> {
    if get::<Option<&str>>(row, from)?.is_none() {
        return Ok(false);
    }
    let event_type: EventTypeName = parsed(row, from)?;
    Ok(wanted.take(
        &event_type,
        &labels(row, from + 1)?,
        &labels(row, from + 2)?,
    ))
}

/// These attempts, in their order.
async fn these(
    link: Link<'_>,
    app: i64,
    wanted: &[Key],
    with_content: bool,
) -> Result<Vec<Attempt>, Fault> {
    let messages: Vec<i64> = wanted.iter().map(|(id, _)| to_column(id.raw())).collect();
    let keys: Vec<i64> = wanted.iter().map(|(_, id)| to_column(id.raw())).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let found = params![with_content, app, messages, keys];
    let mut attempts = HashMap::with_capacity(wanted.len());
    for row in &link.all(&by_keys(), found).await? {
        let attempt = rows::attempt(row)?;
        attempts.insert(attempt.id, attempt);
    }
    Ok(wanted
        .iter()
        .filter_map(|(_, id)| attempts.remove(id))
        .collect())
}
