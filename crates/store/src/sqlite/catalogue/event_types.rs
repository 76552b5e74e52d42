//! Event types, in rows.

use ringbolt_model::{EventType, EventTypeName};
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::lists::MOST_BYTES;
use crate::sqlite::Fault;
use crate::sqlite::column::{bounded_listing, direction, one_more, time};
use crate::sqlite::log::rows::parsed;
use crate::{Edit, EventTypesShown, Listing, Order, Page, StoreError};

const COLUMNS: &str = "name, description, archived, deprecated, schemas, feature_flag, \
    group_name, created_at, updated_at";
const VALUES: &str = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9";
const REPLACED: &str = "description = ?2, archived = ?3, deprecated = ?4, schemas = ?5, \
    feature_flag = ?6, group_name = ?7, created_at = ?8, updated_at = ?9";

fn event_type(row: &Row<'_>) -> rusqlite::Result<EventType> {
    Ok(EventType {
        name: parsed(row, 0)?,
        description: row.get(1)?,
        archived: row.get(2)?,
        deprecated: row.get(3)?,
        schemas: row.get(4)?,
        feature_flag: row.get(5)?,
        group_name: row.get(6)?,
        created_at: time(row, 7)?,
        updated_at: time(row, 8)?,
    })
}

fn write(conn: &Connection, sql: &str, event_type: &EventType) -> rusqlite::Result<usize> {
    conn.prepare_cached(sql)?.execute((
        event_type.name.as_str(),
        &event_type.description,
        event_type.archived,
        event_type.deprecated,
        &event_type.schemas,
        &event_type.feature_flag,
        &event_type.group_name,
        event_type.created_at.as_micros(),
        event_type.updated_at.as_micros(),
    ))
}

pub(super) fn create(conn: &Connection, event_type: &EventType) -> Result<(), Fault> {
    let sql = format!(
        "INSERT INTO event_type ({COLUMNS}) VALUES ({VALUES}) \
         ON CONFLICT (name) DO UPDATE SET {REPLACED} WHERE archived"
    );
    let written = write(conn, &sql, event_type)?;
    if written == 0 {
        Err(StoreError::Conflict("name").into())
    } else {
        Ok(())
    }
}

pub(super) fn find(conn: &Connection, name: &EventTypeName) -> Result<EventType, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM event_type WHERE name = ?1");
    Ok(conn
        .prepare_cached(&sql)?
        .query_row([name.as_str()], event_type)?)
}

/// Schemas that are not shown are not read either.
pub(super) fn list_sql(order: Order, goes_on: bool) -> String {
    let (compare, order) = direction(order);
    let from = if goes_on {
        format!("AND name {compare} ?4")
    } else {
        String::new()
    };
    let columns = COLUMNS.replace("schemas", "CASE WHEN ?3 THEN schemas END");
    format!(
        "SELECT {columns} FROM event_type WHERE (?1 OR NOT archived) {from} \
         ORDER BY name {order} LIMIT ?2"
    )
}

pub(super) fn list(
    conn: &Connection,
    page: &Page<EventTypeName>,
    shown: EventTypesShown,
) -> Result<Listing<EventType, EventTypeName>, Fault> {
    let after = page.after.as_ref().map(EventTypeName::as_str);
    let mut statement = conn.prepare_cached(&list_sql(page.order, after.is_some()))?;
    let (limit, mut bound): (i64, Vec<&dyn ToSql>) = (one_more(page.limit), Vec::new());
    bound.extend([&shown.archived as &dyn ToSql, &limit, &shown.schemas]);
    bound.extend(after.as_ref().map(|after| after as &dyn ToSql));
    let mut rows = statement.query(&bound[..])?;
    let bounds = (page.limit, MOST_BYTES);
    let listed = bounded_listing(&mut rows, bounds, event_type, |found| found.name.clone())?;
    Ok(listed)
}

pub(super) fn known(
    conn: &Connection,
    names: Vec<EventTypeName>,
) -> Result<Vec<(EventTypeName, Option<String>)>, Fault> {
    let sql = "SELECT feature_flag FROM event_type WHERE name = ?1";
    let mut statement = conn.prepare_cached(sql)?;
    let mut known = Vec::with_capacity(names.len());
    for name in names {
        let flag = statement.query_row([name.as_str()], |row| row.get(0));
        known.extend(flag.optional()?.map(|flag| (name, flag)));
    }
    Ok(known)
}

pub(super) fn edit(
    conn: &Connection,
    name: EventTypeName,
    mut change: Edit<EventType>,
) -> Result<EventType, Fault> {
    let mut found = find(conn, &name)?;
    change(&mut found);
    found.name = name;
    write(
        conn,
        &format!("UPDATE event_type SET {REPLACED} WHERE name = ?1"),
        &found,
    )?;
    Ok(found)
}

pub(super) fn expunge(conn: &Connection, name: &EventTypeName) -> Result<(), Fault> {
    let sql = "DELETE FROM event_type WHERE name = ?1";
    let removed = conn.prepare_cached(sql)?.execute([name.as_str()])?;
    if removed == 0 {
        Err(StoreError::NotFound.into())
    } else {
        Ok(())
    }
}
