//! Applications, in rows.

use std::num::NonZeroU16;

use ringbolt_model::{AppId, Application, EndpointId, Metadata, Timestamp, Uid};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::sqlite::column::{
    beyond, direction, from_json, json, listing, one_more, parsed_or_null, time,
};
use crate::sqlite::log::rows::{id, to_column};
use crate::sqlite::{Fault, conflict};
use crate::{AppRef, Edit, Listing, Order, Page};

const COLUMNS: &str = "id, uid, name, throttle_rate, metadata, updated_at";

fn application(row: &Row<'_>) -> rusqlite::Result<Application> {
    Ok(Application {
        id: id(row, 0)?,
        uid: parsed_or_null(row, 1)?,
        name: row.get(2)?,
        throttle_rate: row.get::<_, Option<u16>>(3)?.and_then(NonZeroU16::new),
        metadata: Metadata(from_json(row, 4)?),
        updated_at: time(row, 5)?,
    })
}

pub(super) fn create(conn: &Connection, app: &Application) -> Result<(), Fault> {
    let sql = "INSERT INTO application (id, uid, name, throttle_rate, metadata, updated_at) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    write(conn, sql, app)
}

fn update(conn: &Connection, app: &Application) -> Result<(), Fault> {
    let sql = "UPDATE application SET uid = ?2, name = ?3, throttle_rate = ?4, metadata = ?5, \
        updated_at = ?6 WHERE id = ?1";
    write(conn, sql, app)
}

fn write(conn: &Connection, sql: &str, app: &Application) -> Result<(), Fault> {
    let row = (
        to_column(app.id.raw()),
        app.uid.as_ref().map(Uid::as_str),
        &app.name,
        app.throttle_rate.map(NonZeroU16::get),
        json(&app.metadata)?,
        app.updated_at.as_micros(),
    );
    conn.prepare_cached(sql)?
        .execute(row)
        .map_err(conflict("uid"))?;
    Ok(())
}

pub(super) fn find(conn: &Connection, app: &AppRef) -> Result<Application, Fault> {
    let found = match app {
        AppRef::Id(id) => conn
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM application WHERE id = ?1 AND deleted_at IS NULL"
            ))?
            .query_row([to_column(id.raw())], application),
        AppRef::Uid(uid) => conn
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM application WHERE uid = ?1 AND deleted_at IS NULL"
            ))?
            .query_row([uid.as_str()], application),
    };
    Ok(found?)
}

/// Whether there is such an application, not deleted.
pub(in crate::sqlite) fn exists(conn: &Connection, app: AppId) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM application WHERE id = ?1 AND deleted_at IS NULL";
    let found = conn
        .prepare_cached(sql)?
        .query_row([to_column(app.raw())], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

pub(super) fn list_sql(order: Order) -> String {
    let (compare, order) = direction(order);
    format!(
        "SELECT {COLUMNS} FROM application INDEXED BY application_live \
         WHERE deleted_at IS NULL AND id {compare} ?1 ORDER BY id {order} LIMIT ?2"
    )
}

pub(super) fn list(
    conn: &Connection,
    page: &Page<AppId>,
) -> Result<Listing<Application, AppId>, Fault> {
    let mut statement = conn.prepare_cached(&list_sql(page.order))?;
    let from = beyond(page.after.map(AppId::raw), page.order);
    let rows = statement.query_map((from, one_more(page.limit)), application)?;
    Ok(listing(
        rows.collect::<Result<_, _>>()?,
        page.limit,
        |app| app.id,
    ))
}

pub(super) fn edit(
    conn: &Connection,
    app: &AppRef,
    mut change: Edit<Application>,
) -> Result<Application, Fault> {
    let mut found = find(conn, app)?;
    let id = found.id;
    change(&mut found);
    found.id = id;
    update(conn, &found)?;
    Ok(found)
}

/// Marks an application and its endpoints as deleted; what they own goes later.
pub(super) fn delete(
    conn: &Connection,
    app: &AppRef,
    now: Timestamp,
) -> Result<Vec<EndpointId>, Fault> {
    let app = to_column(find(conn, app)?.id.raw());
    let sql = "SELECT id FROM endpoint WHERE app_id = ?1 AND deleted_at IS NULL ORDER BY id";
    let endpoints: Vec<EndpointId> = conn
        .prepare_cached(sql)?
        .query_map([app], |row| id(row, 0))?
        .collect::<Result<_, _>>()?;
    let sql = "UPDATE endpoint SET deleted_at = ?2 WHERE app_id = ?1 AND deleted_at IS NULL";
    conn.prepare_cached(sql)?.execute((app, now.as_micros()))?;
    let sql = "UPDATE application SET deleted_at = ?2 WHERE id = ?1";
    conn.prepare_cached(sql)?.execute((app, now.as_micros()))?;
    Ok(endpoints)
}
