//! Applications, in rows.

use std::num::NonZeroU16;

use ringbolt_model::{AppId, Application, EndpointId, Metadata, Uid};
use tokio_postgres::Row;

use super::changes::Changed;
use crate::encoding::{json, replace_nul};
use crate::postgres::column::{
    beyond, direction, from_json, get, id, listing, one_more, parsed_or_null, time, to_column,
};
use crate::postgres::fault::conflict;
use crate::postgres::link::{Link, params};
use crate::postgres::{Fault, PostgresStore};
use crate::{AppRef, Edit, Listing, Order, Page};

const COLUMNS: &str = "id, uid, name, throttle_rate, metadata, updated_at";

const INSERT: &str = "INSERT INTO application (id, uid, name, throttle_rate, metadata, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6)";

const UPDATE: &str = "UPDATE application SET uid = $2, name = $3, throttle_rate = $4, metadata = $5, \
    updated_at = $6, routes = routes + 1 WHERE id = $1";

fn application(row: &Row) -> Result<Application, Fault> {
    let rate = get::<Option<i32>>(row, 3)?.and_then(|rate| u16::try_from(rate).ok());
    Ok(Application {
        id: id(row, 0)?,
        uid: parsed_or_null(row, 1)?,
        name: get(row, 2)?,
        throttle_rate: rate.and_then(NonZeroU16::new),
        metadata: Metadata(from_json(row, 4)?),
        updated_at: time(row, 5)?,
    })
}

async fn write(link: Link<'_>, sql: &str, app: &Application) -> Result<(), Fault> {
    link.run(
        sql,
        params![
            to_column(app.id.raw()),
            app.uid.as_ref().map(Uid::as_str),
            app.name.as_str(),
            app.throttle_rate.map(|rate| i32::from(rate.get())),
            json(&app.metadata)?,
            app.updated_at.as_micros(),
        ],
    )
    .await
    .map_err(conflict("uid"))?;
    Ok(())
}

pub(super) async fn create(store: &PostgresStore, mut app: Application) -> Result<(), Fault> {
    replace_nul(&mut app.name);
    let client = store.client().await?;
    write(store.link(&client), INSERT, &app).await
}

/// Finds one; `lock` is what the statement ends with.
async fn find(link: Link<'_>, app: &AppRef, lock: &str) -> Result<Application, Fault> {
    let by = match app {
        AppRef::Id(_) => "id",
        AppRef::Uid(_) => "uid",
    };
    let sql =
        format!("SELECT {COLUMNS} FROM application WHERE {by} = $1 AND deleted_at IS NULL {lock}");
    let row = match app {
        AppRef::Id(id) => link.one(&sql, params![to_column(id.raw())]).await?,
        AppRef::Uid(uid) => link.one(&sql, params![uid.as_str()]).await?,
    };
    application(&row)
}

pub(super) async fn one(store: &PostgresStore, app: &AppRef) -> Result<Application, Fault> {
    let client = store.client().await?;
    find(store.link(&client), app, "").await
}

pub(super) async fn routes(store: &PostgresStore, app: AppId) -> Result<u64, Fault> {
    let client = store.client().await?;
    let sql = "SELECT routes FROM application WHERE id = $1 AND deleted_at IS NULL";
    let row = store
        .link(&client)
        .one(sql, params![to_column(app.raw())])
        .await?;
    Ok(get::<i64>(&row, 0)?.cast_unsigned())
}

pub(super) fn list_sql(order: Order) -> String {
    let (compare, order) = direction(order);
    format!(
        "SELECT {COLUMNS} FROM application WHERE deleted_at IS NULL AND id {compare} $1 \
         ORDER BY id {order} LIMIT $2"
    )
}

pub(super) async fn list(
    store: &PostgresStore,
    page: &Page<AppId>,
) -> Result<Listing<Application, AppId>, Fault> {
    let client = store.client().await?;
    let from = beyond(page.after.map(AppId::raw), page.order);
    let rows = store
        .link(&client)
        .all(&list_sql(page.order), params![from, one_more(page.limit)])
        .await?;
    let found: Result<_, _> = rows.iter().map(application).collect();
    Ok(listing(found?, page.limit, |app| app.id))
}

pub(super) async fn edit(
    store: &PostgresStore,
    app: &AppRef,
    change: &mut Edit<Application>,
) -> Result<Application, Fault> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let link = store.within(&transaction);
    let mut found = find(link, app, "FOR UPDATE").await?;
    let id = found.id;
    change(&mut found);
    found.id = id;
    replace_nul(&mut found.name);
    write(link, UPDATE, &found).await?;
    let key = to_column(id.raw());
    store
        .note_change(link, Changed::Application, key, key)
        .await?;
    transaction.commit().await?;
    Ok(found)
}

/// Marks an application and its endpoints as deleted; what they own goes later.
pub(super) async fn delete(store: &PostgresStore, app: &AppRef) -> Result<Vec<EndpointId>, Fault> {
    let now = store.settings.clock.now().as_micros();
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let link = store.within(&transaction);
    let app = to_column(find(link, app, "FOR UPDATE").await?.id.raw());
    let sql = "UPDATE application SET deleted_at = $2, routes = routes + 1 WHERE id = $1";
    link.run(sql, params![app, now]).await?;
    let sql =
        "UPDATE endpoint SET deleted_at = $2 WHERE app_id = $1 AND deleted_at IS NULL RETURNING id";
    let rows = link.all(sql, params![app, now]).await?;
    let mut endpoints: Vec<EndpointId> = rows
        .iter()
        .map(|row| id(row, 0))
        .collect::<Result<_, _>>()?;
    endpoints.sort_unstable();
    store
        .note_change(link, Changed::Application, app, app)
        .await?;
    transaction.commit().await?;
    Ok(endpoints)
}
