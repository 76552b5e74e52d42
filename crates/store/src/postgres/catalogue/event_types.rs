//! Event types, in rows.

use std::collections::HashMap;

use ringbolt_model::{EventType, EventTypeName};
use tokio_postgres::Row;

use crate::encoding::replace_nul;
use crate::postgres::column::{direction, get, one_more, parsed, time};
use crate::postgres::link::{Link, params};
use crate::postgres::pages::{bounded_listing, bounded_sql};
use crate::postgres::{Fault, PostgresStore};
use crate::{Edit, EventTypesShown, Listing, Order, Page, StoreError};

const COLUMNS: &str = "name, description, archived, deprecated, schemas, feature_flag, \
    group_name, created_at, updated_at";

const REPLACED: &str = "description = $2, archived = $3, deprecated = $4, schemas = $5, \
    feature_flag = $6, group_name = $7, created_at = $8, updated_at = $9";

fn event_type(row: &Row) -> Result<EventType, Fault> {
    Ok(EventType {
        name: parsed(row, 0)?,
        description: get(row, 1)?,
        archived: get(row, 2)?,
        deprecated: get(row, 3)?,
        schemas: get(row, 4)?,
        feature_flag: get(row, 5)?,
        group_name: get(row, 6)?,
        created_at: time(row, 7)?,
        updated_at: time(row, 8)?,
    })
}

fn make_legible(event_type: &mut EventType) {
    replace_nul(&mut event_type.description);
    let parts = [
        &mut event_type.schemas,
        &mut event_type.feature_flag,
        &mut event_type.group_name,
    ];
    parts.into_iter().flatten().for_each(replace_nul);
}

async fn write(link: Link<'_>, sql: &str, event_type: &EventType) -> Result<u64, Fault> {
    link.run(
        sql,
        params![
            event_type.name.as_str(),
            event_type.description.as_str(),
            event_type.archived,
            event_type.deprecated,
            event_type.schemas.as_deref(),
            event_type.feature_flag.as_deref(),
            event_type.group_name.as_deref(),
            event_type.created_at.as_micros(),
            event_type.updated_at.as_micros(),
        ],
    )
    .await
}

pub(super) async fn create(store: &PostgresStore, mut new: EventType) -> Result<(), Fault> {
    make_legible(&mut new);
    let sql = format!(
        "INSERT INTO event_type ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (name) DO UPDATE SET {REPLACED} WHERE event_type.archived"
    );
    let client = store.client().await?;
    match write(store.link(&client), &sql, &new).await? {
        0 => Err(StoreError::Conflict("name").into()),
        _ => Ok(()),
    }
}

/// Finds one; `lock` is what the statement ends with.
async fn find(link: Link<'_>, name: &EventTypeName, lock: &str) -> Result<EventType, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM event_type WHERE name = $1 {lock}");
    event_type(&link.one(&sql, params![name.as_str()]).await?)
}

pub(super) async fn one(store: &PostgresStore, name: &EventTypeName) -> Result<EventType, Fault> {
    let client = store.client().await?;
    find(store.link(&client), name, "").await
}

/// Schemas that are not shown are not read either.
pub(super) fn list_sql(order: Order, goes_on: bool) -> String {
    let (compare, way) = direction(order);
    let from = if goes_on {
        format!("AND name {compare} $4")
    } else {
        String::new()
    };
    let columns = COLUMNS.replace("schemas", "CASE WHEN $3 THEN schemas END AS schemas");
    let rows = format!(
        "SELECT {columns}, octet_length(description) + \
            CASE WHEN $3 THEN coalesce(octet_length(schemas), 0) ELSE 0 END AS bytes \
         FROM event_type WHERE ($1 OR NOT archived) {from} ORDER BY name {way} LIMIT $2"
    );
    bounded_sql(&rows, "name", order)
}

pub(super) async fn list(
    store: &PostgresStore,
    page: &Page<EventTypeName>,
    shown: EventTypesShown,
) -> Result<Listing<EventType, EventTypeName>, Fault> {
    let (limit, sql) = (
        one_more(page.limit),
        list_sql(page.order, page.after.is_some()),
    );
    let client = store.client().await?;
    let link = store.link(&client);
    let rows = match &page.after {
        None => {
            link.all(&sql, params![shown.archived, limit, shown.schemas])
                .await?
        }
        Some(after) => {
            link.all(
                &sql,
                params![shown.archived, limit, shown.schemas, after.as_str()],
            )
            .await?
        }
    };
    bounded_listing(&rows, page.limit, event_type, |found| found.name.clone())
}

pub(super) async fn known(
    store: &PostgresStore,
    names: Vec<EventTypeName>,
) -> Result<Vec<(EventTypeName, Option<String>)>, Fault> {
    let wanted: Vec<&str> = names.iter().map(EventTypeName::as_str).collect();
    let sql = "SELECT name, feature_flag FROM event_type WHERE name = ANY($1)";
    let client = store.client().await?;
    let rows = store.link(&client).all(sql, params![wanted]).await?;
    let mut flags: HashMap<String, Option<String>> = HashMap::with_capacity(rows.len());
    for row in &rows {
        flags.insert(get(row, 0)?, get(row, 1)?);
    }
    let known = names.into_iter().filter_map(|name| {
        let flag = flags.get(name.as_str()).cloned()?;
        Some((name, flag))
    });
    Ok(known.collect())
}

pub(super) async fn edit(
    store: &PostgresStore,
    name: &EventTypeName,
    change: &mut Edit<EventType>,
) -> Result<EventType, Fault> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let link = store.within(&transaction);
    let mut found = find(link, name, "FOR UPDATE").await?;
    change(&mut found);
    found.name = name.clone();
    make_legible(&mut found);
    let sql = format!("UPDATE event_type SET {REPLACED} WHERE name = $1");
    write(link, &sql, &found).await?;
    transaction.commit().await?;
    Ok(found)
}

pub(super) async fn expunge(store: &PostgresStore, name: &EventTypeName) -> Result<(), Fault> {
    let client = store.client().await?;
    let sql = "DELETE FROM event_type WHERE name = $1";
    match store.link(&client).run(sql, params![name.as_str()]).await? {
        0 => Err(Fault::NotFound),
        _ => Ok(()),
    }
}
