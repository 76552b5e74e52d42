//! Endpoints, with their secrets and headers, in rows.

use ringbolt_model::endpoint::{Disabled, Failing};
use ringbolt_model::{AppId, CustomHeaders, Endpoint, EndpointId, EndpointSecrets, Timestamp};
use rusqlite::Connection;

use super::applications;
use super::endpoint_row::{ENDPOINT_COLUMNS, endpoint, insert, update};
use crate::encoding::{open_headers, open_secrets, seal_headers, seal_secrets};
use crate::lists::MOST_BYTES;
use crate::sqlite::Fault;
use crate::sqlite::column::{beyond, bounded_listing, direction, json, one_more, word};
use crate::sqlite::log::rows::to_column;
use crate::vault::Vault;
use crate::{Destination, Edit, EndpointRef, Listing, NewEndpoint, Order, Page, StoreError};

pub(super) fn create(
    conn: &Connection,
    vault: &Vault,
    new: &NewEndpoint,
    limit: usize,
) -> Result<(), Fault> {
    let app = new.endpoint.app;
    if !applications::exists(conn, app)? {
        return Err(StoreError::NotFound.into());
    }
    let sql = "SELECT count(*) FROM endpoint WHERE app_id = ?1 AND deleted_at IS NULL";
    let count: i64 = conn
        .prepare_cached(sql)?
        .query_row([to_column(app.raw())], |row| row.get(0))?;
    if usize::try_from(count).is_ok_and(|count| count >= limit) {
        return Err(StoreError::TooMany {
            what: "endpoints",
            limit,
        }
        .into());
    }
    insert(conn, vault, new)
}

pub(super) fn find(conn: &Connection, app: AppId, wanted: &EndpointRef) -> Result<Endpoint, Fault> {
    let app = to_column(app.raw());
    let column = match wanted {
        EndpointRef::Id(_) => "id",
        EndpointRef::Uid(_) => "uid",
    };
    let sql = format!(
        "SELECT {ENDPOINT_COLUMNS} FROM endpoint e \
         WHERE e.{column} = ?2 AND e.app_id = ?1 AND e.deleted_at IS NULL"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    Ok(match wanted {
        EndpointRef::Id(id) => statement.query_row((app, to_column(id.raw())), endpoint),
        EndpointRef::Uid(uid) => statement.query_row((app, uid.as_str()), endpoint),
    }?)
}

pub(super) fn destination(
    conn: &Connection,
    vault: &Vault,
    id: EndpointId,
) -> Result<Destination, Fault> {
    let sql = format!(
        "SELECT {ENDPOINT_COLUMNS}, e.secrets, e.headers FROM endpoint e \
         WHERE e.id = ?1 AND e.deleted_at IS NULL"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let (endpoint, secrets, headers) = statement.query_row([to_column(id.raw())], |row| {
        Ok((
            endpoint(row)?,
            row.get::<_, Vec<u8>>(16)?,
            row.get::<_, Vec<u8>>(17)?,
        ))
    })?;
    let secrets = open_secrets(vault, id, &secrets)?;
    let headers = open_headers(vault, id, &headers)?;
    Ok(Destination {
        endpoint,
        secrets,
        headers,
    })
}

pub(super) fn list_sql(order: Order) -> String {
    let (compare, order) = direction(order);
    format!(
        "SELECT {ENDPOINT_COLUMNS} FROM endpoint e INDEXED BY endpoint_by_app \
         WHERE e.app_id = ?1 AND e.deleted_at IS NULL AND e.id {compare} ?2 \
         ORDER BY e.id {order} LIMIT ?3"
    )
}

pub(super) fn list(
    conn: &Connection,
    app: AppId,
    page: &Page<EndpointId>,
) -> Result<Listing<Endpoint, EndpointId>, Fault> {
    let mut statement = conn.prepare_cached(&list_sql(page.order))?;
    let from = beyond(page.after.map(EndpointId::raw), page.order);
    let mut rows = statement.query((to_column(app.raw()), from, one_more(page.limit)))?;
    let bounds = (page.limit, MOST_BYTES);
    let listed = bounded_listing(&mut rows, bounds, endpoint, |endpoint| endpoint.id)?;
    Ok(listed)
}

pub(super) fn failing_sql(order: Order) -> String {
    let (compare, order) = direction(order);
    format!(
        "SELECT {ENDPOINT_COLUMNS} FROM endpoint e INDEXED BY endpoint_failing \
         WHERE e.deleted_at IS NULL AND (e.failing IS NOT NULL OR e.disabled_reason = 'gone') \
         AND e.id {compare} ?1 ORDER BY e.id {order} LIMIT ?2"
    )
}

pub(super) fn failing(
    conn: &Connection,
    page: &Page<EndpointId>,
) -> Result<Listing<Endpoint, EndpointId>, Fault> {
    let mut statement = conn.prepare_cached(&failing_sql(page.order))?;
    let from = beyond(page.after.map(EndpointId::raw), page.order);
    let mut rows = statement.query((from, one_more(page.limit)))?;
    let bounds = (page.limit, MOST_BYTES);
    let listed = bounded_listing(&mut rows, bounds, endpoint, |endpoint| endpoint.id)?;
    Ok(listed)
}

pub(super) fn edit(
    conn: &Connection,
    app: AppId,
    wanted: &EndpointRef,
    mut change: Edit<Endpoint>,
) -> Result<Endpoint, Fault> {
    let mut found = find(conn, app, wanted)?;
    let id = found.id;
    change(&mut found);
    (found.id, found.app) = (id, app);
    update(conn, &found)?;
    Ok(found)
}

pub(super) fn edit_secrets(
    conn: &Connection,
    vault: &Vault,
    id: EndpointId,
    mut change: Edit<EndpointSecrets>,
) -> Result<EndpointSecrets, Fault> {
    let mut secrets = open_secrets(vault, id, &sealed(conn, id, "secrets")?)?;
    change(&mut secrets);
    let sql = "UPDATE endpoint SET secrets = ?2 WHERE id = ?1";
    let row = (to_column(id.raw()), seal_secrets(vault, id, &secrets)?);
    conn.prepare_cached(sql)?.execute(row)?;
    Ok(secrets)
}

pub(super) fn edit_headers(
    conn: &Connection,
    vault: &Vault,
    id: EndpointId,
    mut change: Edit<CustomHeaders>,
) -> Result<CustomHeaders, Fault> {
    let mut headers = open_headers(vault, id, &sealed(conn, id, "headers")?)?;
    change(&mut headers);
    let sql = "UPDATE endpoint SET headers = ?2 WHERE id = ?1";
    let row = (to_column(id.raw()), seal_headers(vault, id, &headers)?);
    conn.prepare_cached(sql)?.execute(row)?;
    Ok(headers)
}

fn sealed(conn: &Connection, id: EndpointId, column: &str) -> Result<Vec<u8>, Fault> {
    let sql = format!("SELECT {column} FROM endpoint WHERE id = ?1 AND deleted_at IS NULL");
    Ok(conn
        .prepare_cached(&sql)?
        .query_row([to_column(id.raw())], |row| row.get(0))?)
}

pub(super) fn delete(
    conn: &Connection,
    app: AppId,
    wanted: &EndpointRef,
    now: Timestamp,
) -> Result<EndpointId, Fault> {
    let id = find(conn, app, wanted)?.id;
    let sql = "UPDATE endpoint SET deleted_at = ?2 WHERE id = ?1";
    conn.prepare_cached(sql)?
        .execute((to_column(id.raw()), now.as_micros()))?;
    Ok(id)
}

pub(super) fn disable(
    conn: &Connection,
    id: EndpointId,
    disabled: Disabled,
) -> Result<bool, Fault> {
    let sql = "UPDATE endpoint SET disabled_since = ?2, disabled_reason = ?3 \
        WHERE id = ?1 AND deleted_at IS NULL AND disabled_since IS NULL";
    let row = (
        to_column(id.raw()),
        disabled.since.as_micros(),
        word(&disabled.reason)?,
    );
    Ok(conn.prepare_cached(sql)?.execute(row)? > 0)
}

pub(super) fn keep_failing(
    conn: &Connection,
    id: EndpointId,
    failing: Option<Failing>,
) -> Result<(), Fault> {
    let sql = "UPDATE endpoint SET failing = ?2 WHERE id = ?1 AND deleted_at IS NULL";
    let failing = failing.map(|failing| json(&failing)).transpose()?;
    conn.prepare_cached(sql)?
        .execute((to_column(id.raw()), failing))?;
    Ok(())
}
