//! Messages owed to an endpoint: what has ended, what waits and what is in memory, merged by message.

use std::collections::BTreeMap;

use ringbolt_model::{DeliveryState, EndpointId, EventTypeName, Message, MessageId};
use tokio_postgres::Row;

use super::is_there;
use super::messages::{self, BYTES, bytes};
use super::parts::{beyond, direction, rows_of_part};
use super::standing::{Owner, owner, view};
use crate::encoding;
use crate::lists::{ADJACENT, Gathering, LOOKED_UP, Labels, Source, Span, stands_so};
use crate::postgres::Fault;
use crate::postgres::column::{get, labels, parsed, to_column, unreadable};
use crate::postgres::link::{Link, params};
use crate::{DeliveryView, Listing, MessageFilter, Order, Page, StatusFilter};

/// How many messages that are open somewhere are looked at for a part: most may be owed to others.
const OPEN: i64 = 1_000;

/// Where rows come from.
const ENDED: i16 = 0;
const WAITING: i16 = 1;
const IN_MEMORY: i16 = 2;

/// The three in one statement: a delivery that moves from one to another is seen once, in one of them.
fn sql(order: Order, status: Option<StatusFilter>) -> String {
    let (there, direction) = (is_there("k.app_id", "k.message_id"), direction(order));
    let of = |table: &str| {
        format!(
            "{table}.app_id = $2 AND {table}.endpoint_id = $3 AND {table}.message_id BETWEEN $4 AND $5"
        )
    };
    let end = format!("ORDER BY message_id {direction} LIMIT $6");
    let failed = if status == Some(StatusFilter::Fail) {
        "AND f.state = 2"
    } else {
        ""
    };
    let ended = format!(
        "(SELECT f.message_id, f.state, NULL::bigint AS next_at, {ENDED}::smallint AS source, f.app_id \
          FROM finished_delivery f WHERE {} {failed} {end})",
        of("f")
    );
    let waiting = format!(
        "(SELECT d.message_id, 0::smallint, d.next_at, {WAITING}::smallint, d.app_id FROM delivery d WHERE {} {end})",
        of("d")
    );
    let in_memory = format!(
        "(SELECT o.id, CASE WHEN $3 = ANY(t.targets) \
            AND NOT EXISTS (SELECT 1 FROM finished_delivery f \
                WHERE f.app_id = $2 AND f.endpoint_id = $3 AND f.message_id = o.id) \
            AND NOT EXISTS (SELECT 1 FROM delivery d \
                WHERE d.app_id = $2 AND d.endpoint_id = $3 AND d.message_id = o.id) THEN 0::smallint END, \
            NULL::bigint, {IN_MEMORY}::smallint, o.app_id \
          FROM (SELECT app_id, id FROM open_message WHERE app_id = $2 AND id BETWEEN $4 AND $5 \
            ORDER BY id {direction} LIMIT $7) o \
          LEFT JOIN message t ON t.app_id = o.app_id AND t.id = o.id)"
    );
    let sources = match status {
        None => format!("{ended} UNION ALL {waiting} UNION ALL {in_memory}"),
        Some(StatusFilter::Pending) => format!(
            "(SELECT NULL::bigint AS message_id, NULL::smallint AS state, NULL::bigint AS next_at, \
              NULL::smallint AS source, NULL::bigint AS app_id LIMIT 0) UNION ALL {waiting} UNION ALL {in_memory}"
        ),
        Some(_) => ended,
    };
    format!(
        "SELECT k.message_id, k.state, k.next_at, k.source, m.event_type, m.channels, m.tags, {BYTES}, {there} \
         FROM ({sources}) k LEFT JOIN message m ON m.app_id = k.app_id AND m.id = k.message_id"
    )
}

/// Statements with the index that each walks.
#[cfg(test)]
pub(super) fn plans() -> Vec<(String, &'static str)> {
    let mut plans = Vec::new();
    for order in [Order::Ascending, Order::Descending] {
        plans.push((sql(order, None), "_pkey"));
        plans.push((sql(order, Some(StatusFilter::Pending)), "delivery_pkey"));
        plans.push((sql(order, Some(StatusFilter::Success)), "_pkey"));
        let failed = "app_id_endpoint_id_message_id_idx";
        plans.push((sql(order, Some(StatusFilter::Fail)), failed));
    }
    plans
}

/// Messages owed to an endpoint.
pub(super) async fn page(
    link: Link<'_>,
    endpoint: EndpointId,
    filter: &MessageFilter,
    page: &Page<MessageId>,
) -> Result<Listing<(Message, DeliveryView), MessageId>, Fault> {
    let list = Owed {
        sql: sql(page.order, filter.status),
        endpoint: to_column(endpoint.raw()),
        owner: owner(link, endpoint).await?,
        filter,
        order: page.order,
    };
    let mut span = Span::of(page, MessageId::raw, filter.after, filter.before);
    let mut gathering = Gathering::new(page.limit);
    let source = loop {
        let (part, left) = list.part(link, span, &gathering).await?;
        let taken = list.offer(&mut gathering, part);
        match left {
            Some(left) if taken == Source::Exhausted => span = left,
            _ => break taken,
        }
    };
    let listing: Listing<(MessageId, DeliveryView), MessageId> = gathering.end(source);
    let ids: Vec<MessageId> = listing.items.iter().map(|(id, _)| *id).collect();
    let app = list.owner.app.cast_unsigned().into();
    let mut messages = messages::of(link, app, &ids, filter.with_content).await?;
    let with_message = |(id, view)| Some((messages.remove(&id)?, view));
    Ok(Listing {
        items: listing.items.into_iter().filter_map(with_message).collect(),
        reached: listing.reached,
        done: listing.done,
    })
}

/// The list of messages owed to an endpoint.
struct Owed<'f> {
    sql: String,
    endpoint: i64,
    owner: Owner,
    filter: &'f MessageFilter,
    order: Order,
}

/// What a key was found to be: what it costs to look at, and the item if it is one.
type Looked = (usize, Option<(DeliveryView, usize)>);

impl Owed<'_> {
    /// The next part, by message, and what is left of the span beyond it, if anything may be.
    async fn part<T>(
        &self,
        link: Link<'_>,
        span: Span,
        gathering: &Gathering<T, MessageId>,
    ) -> Result<(BTreeMap<i64, Looked>, Option<Span>), Fault> {
        let is_selective =
            !Labels::of_messages(self.filter).take_all() || self.filter.status.is_some();
        let rows = rows_of_part(gathering, is_selective);
        let open = gathering.rows_wanted(ADJACENT).min(OPEN);
        let (app, with_content) = (self.owner.app, self.filter.with_content);
        let bounds = params![
            with_content,
            app,
            self.endpoint,
            span.low,
            span.high,
            rows,
            open
        ];
        let found = link.all(&self.sql, bounds).await?;
        let bound = self.bound(&found, rows, open)?;
        let mut part = BTreeMap::new();
        for row in &found {
            let key = get(row, 0)?;
            if bound.is_none_or(|bound| self.is_before(key, bound) || key == bound) {
                let looked = self.look(row)?;
                let seen = part.entry(key).or_insert(looked);
                if seen.1.is_none() {
                    *seen = looked;
                }
            }
        }
        Ok((part, bound.map(|bound| beyond(span, bound, self.order))))
    }

    /// Up to which message all sources were read: where the first of those ends that have more.
    fn bound(&self, rows: &[Row], asked: i64, asked_open: i64) -> Result<Option<i64>, Fault> {
        let mut sources = [(0, None); 3];
        for row in rows {
            let (key, source) = (get(row, 0)?, get::<i16>(row, 3)?);
            let (count, last) =
                &mut sources[usize::try_from(source.clamp(ENDED, IN_MEMORY)).unwrap_or(0)];
            *count += 1;
            if last.is_none_or(|last| self.is_before(last, key)) {
                *last = Some(key);
            }
        }
        let limits = [asked, asked, asked_open];
        let full = sources.iter().zip(limits);
        let ends = full.filter_map(|((count, last), limit)| last.filter(|_| *count >= limit));
        Ok(match self.order {
            Order::Ascending => ends.min(),
            Order::Descending => ends.max(),
        })
    }

    const fn is_before(&self, one: i64, other: i64) -> bool {
        match self.order {
            Order::Ascending => one < other,
            Order::Descending => one > other,
        }
    }

    fn look(&self, row: &Row) -> Result<Looked, Fault> {
        let Some(state) = get::<Option<i16>>(row, 1)? else {
            return Ok((ADJACENT, None));
        };
        let state = encoding::state(state.into()).map_err(unreadable)?;
        let ended = Some(state).filter(|state| *state != DeliveryState::Pending);
        let message = MessageId::from(get::<i64>(row, 0)?.cast_unsigned());
        let view = view(message, self.owner, ended, get(row, 2)?);
        let wanted = self
            .filter
            .status
            .is_none_or(|status| stands_so(status, view.state))
            && get(row, 8)?
            && self.labels_are_wanted(row)?;
        let item = wanted.then_some((view, bytes(row, 7)?));
        Ok((LOOKED_UP, item))
    }

    /// A message that is gone is not wanted.
    fn labels_are_wanted(&self, row: &Row) -> Result<bool, Fault> {
        let wanted = Labels::of_messages(self.filter);
        if get::<Option<&str>>(row, 4)?.is_none() {
            return Ok(false);
        }
        let event_type: EventTypeName = parsed(row, 4)?;
        Ok(wanted.take_all() || wanted.take(&event_type, &labels(row, 5)?, &labels(row, 6)?))
    }

    /// Offers a part to the page, and says whether there are rows that it does not take.
    fn offer(
        &self,
        gathering: &mut Gathering<(MessageId, DeliveryView), MessageId>,
        part: BTreeMap<i64, Looked>,
    ) -> Source {
        let mut part: Vec<(i64, Looked)> = part.into_iter().collect();
        if self.order == Order::Descending {
            part.reverse();
        }
        for (key, (cost, found)) in part {
            if gathering.is_full() {
                return Source::MoreFollows;
            }
            let id = MessageId::from(key.cast_unsigned());
            let item = found.map(|(view, bytes)| ((id, view), bytes));
            gathering.examined(cost, id, item);
        }
        Source::Exhausted
    }
}
