//! The endpoints that a message is owed to, with where its delivery stands.

use std::collections::HashMap;

use ringbolt_model::{AppId, Endpoint, EndpointId, MessageId};
use tokio_postgres::Row;

use super::is_there;
use super::standing::{Owner, view};
use crate::encoding;
use crate::lists::part_of;
use crate::postgres::Fault;
use crate::postgres::catalogue::{ENDPOINT_COLUMNS, endpoint as read};
use crate::postgres::column::{get, to_column, unreadable};
use crate::postgres::link::{Link, params};
use crate::{DeliveryView, Listing, Page};

fn targets_sql() -> String {
    let there = is_there("m.app_id", "m.id");
    format!("SELECT m.targets FROM message m WHERE m.app_id = $1 AND m.id = $2 AND {there}")
}

/// Each target is looked up by whole keys, however few rows PostgreSQL believes to be there.
fn deliveries_sql() -> String {
    format!(
        "SELECT {ENDPOINT_COLUMNS}, e.deleted_at IS NOT NULL, f.state, d.next_at \
         FROM unnest($3::bigint[]) AS t(id) CROSS JOIN LATERAL (SELECT * FROM endpoint WHERE id = t.id OFFSET 0) e \
         LEFT JOIN LATERAL (SELECT state FROM finished_delivery \
            WHERE app_id = $1 AND endpoint_id = t.id AND message_id = $2 OFFSET 0) f ON true \
         LEFT JOIN LATERAL (SELECT next_at FROM delivery \
            WHERE app_id = $1 AND endpoint_id = t.id AND message_id = $2 OFFSET 0) d ON true"
    )
}

/// Statements with the index that each walks.
#[cfg(test)]
pub(super) fn plans() -> Vec<(String, &'static str)> {
    vec![
        (targets_sql(), "message_rest_pkey"),
        (deliveries_sql(), "endpoint_pkey"),
        (deliveries_sql(), "finished_delivery_rest_pkey"),
    ]
}

/// The deliveries of a message, by endpoint. Deleted endpoints are among them as long as the store remembers them.
pub(super) async fn of_message(
    link: Link<'_>,
    app: AppId,
    message: MessageId,
    page: &Page<EndpointId>,
) -> Result<Listing<(Endpoint, DeliveryView), EndpointId>, Fault> {
    let (app, key) = (to_column(app.raw()), to_column(message.raw()));
    let row = link.one(&targets_sql(), params![app, key]).await?;
    let targets: Vec<i64> = get(&row, 0)?;
    let (targets, done) = part_of(targets.into_iter().map(i64::cast_unsigned).collect(), page);
    let keys: Vec<i64> = targets.iter().map(|id| to_column(id.raw())).collect();
    let rows = link.all(&deliveries_sql(), params![app, key, keys]).await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in &rows {
        let (endpoint, view) = delivery(row, message)?;
        known.insert(endpoint.id, (endpoint, view));
    }
    Ok(Listing {
        items: targets.iter().filter_map(|id| known.remove(id)).collect(),
        reached: targets.last().copied(),
        done,
    })
}

fn delivery(row: &Row, message: MessageId) -> Result<(Endpoint, DeliveryView), Fault> {
    let after = row.len() - 3;
    let endpoint = read(row)?;
    let owner = Owner {
        app: to_column(endpoint.app.raw()),
        disabled: endpoint.disabled.is_some(),
        deleted: get(row, after)?,
    };
    let ended = get::<Option<i16>>(row, after + 1)?.map(|code| encoding::state(code.into()));
    let ended = ended.transpose().map_err(unreadable)?;
    let view = view(message, owner, ended, get(row, after + 2)?);
    Ok((endpoint, view))
}
