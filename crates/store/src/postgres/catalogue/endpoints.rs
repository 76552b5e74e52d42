//! Endpoints, in rows. Transactions that change several rows lock the application's first.

use ringbolt_model::endpoint::{Disabled, Failing};
use ringbolt_model::{AppId, Endpoint, EndpointId};

use super::changes::{Changed, grow_routes};
use super::endpoint_row::{
    ENDPOINT_BYTES, ENDPOINT_COLUMNS, Sealed, endpoint, insert, make_legible, update,
};
use crate::encoding::{json, seal_headers, seal_secrets, word};
use crate::postgres::column::{beyond, direction, get, id, one_more, to_column};
use crate::postgres::link::{Link, params};
use crate::postgres::pages::{bounded_listing, bounded_sql};
use crate::postgres::{Fault, PostgresStore};
use crate::{Edit, EndpointRef, Listing, NewEndpoint, Order, Page, StoreError};

pub(super) async fn create(store: &PostgresStore, new: &NewEndpoint) -> Result<(), Fault> {
    let mut endpoint = new.endpoint.clone();
    make_legible(&mut endpoint);
    let sealed = Sealed {
        secrets: seal_secrets(&store.vault, endpoint.id, &new.secrets)?,
        headers: seal_headers(&store.vault, endpoint.id, &new.headers)?,
    };
    let (id, app) = (to_column(endpoint.id.raw()), to_column(endpoint.app.raw()));
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let link = store.within(&transaction);
    grow_routes(link, app).await?;
    check_room(link, app, store.settings.max_endpoints_per_app).await?;
    insert(link, &endpoint, sealed).await?;
    store.note_change(link, Changed::Endpoint, app, id).await?;
    Ok(transaction.commit().await?)
}

/// The application's row is locked, so that nobody else creates one meanwhile.
async fn check_room(link: Link<'_>, app: i64, limit: usize) -> Result<(), Fault> {
    let sql = "SELECT count(*) FROM endpoint WHERE app_id = $1 AND deleted_at IS NULL";
    let count: i64 = get(&link.one(sql, params![app]).await?, 0)?;
    if usize::try_from(count).is_ok_and(|count| count >= limit) {
        let what = "endpoints";
        return Err(StoreError::TooMany { what, limit }.into());
    }
    Ok(())
}

/// Finds one; `lock` is what the statement ends with.
async fn find(
    link: Link<'_>,
    app: AppId,
    wanted: &EndpointRef,
    lock: &str,
) -> Result<Endpoint, Fault> {
    let app = to_column(app.raw());
    let by = match wanted {
        EndpointRef::Id(_) => "id",
        EndpointRef::Uid(_) => "uid",
    };
    let sql = format!(
        "SELECT {ENDPOINT_COLUMNS} FROM endpoint e \
         WHERE e.{by} = $2 AND e.app_id = $1 AND e.deleted_at IS NULL {lock}"
    );
    let row = match wanted {
        EndpointRef::Id(id) => link.one(&sql, params![app, to_column(id.raw())]).await?,
        EndpointRef::Uid(uid) => link.one(&sql, params![app, uid.as_str()]).await?,
    };
    endpoint(&row)
}

pub(super) async fn one(
    store: &PostgresStore,
    app: AppId,
    wanted: &EndpointRef,
) -> Result<Endpoint, Fault> {
    let client = store.client().await?;
    find(store.link(&client), app, wanted, "").await
}

pub(super) fn list_sql(order: Order) -> String {
    let (compare, way) = direction(order);
    let rows = format!(
        "SELECT {ENDPOINT_COLUMNS}, {ENDPOINT_BYTES} AS bytes FROM endpoint e \
         WHERE e.app_id = $1 AND e.deleted_at IS NULL AND e.id {compare} $2 \
         ORDER BY e.id {way} LIMIT $3"
    );
    bounded_sql(&rows, "id", order)
}

pub(super) async fn list(
    store: &PostgresStore,
    app: AppId,
    page: &Page<EndpointId>,
) -> Result<Listing<Endpoint, EndpointId>, Fault> {
    let from = beyond(page.after.map(EndpointId::raw), page.order);
    let client = store.client().await?;
    let rows = store
        .link(&client)
        .all(
            &list_sql(page.order),
            params![to_column(app.raw()), from, one_more(page.limit)],
        )
        .await?;
    bounded_listing(&rows, page.limit, endpoint, |endpoint| endpoint.id)
}

/// What a user changes may change where messages go or how fast, so it counts as a change of routes whatever it is.
pub(super) async fn edit(
    store: &PostgresStore,
    app: AppId,
    wanted: &EndpointRef,
    change: &mut Edit<Endpoint>,
) -> Result<Endpoint, Fault> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let link = store.within(&transaction);
    let key = to_column(app.raw());
    grow_routes(link, key).await?;
    let mut found = find(link, app, wanted, "FOR UPDATE").await?;
    let id = found.id;
    change(&mut found);
    (found.id, found.app) = (id, app);
    make_legible(&mut found);
    update(link, &found).await?;
    store
        .note_change(link, Changed::Endpoint, key, to_column(id.raw()))
        .await?;
    transaction.commit().await?;
    Ok(found)
}

pub(super) async fn delete(
    store: &PostgresStore,
    app: AppId,
    wanted: &EndpointRef,
) -> Result<EndpointId, Fault> {
    let now = store.settings.clock.now().as_micros();
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let link = store.within(&transaction);
    let key = to_column(app.raw());
    grow_routes(link, key).await?;
    let found = find(link, app, wanted, "FOR UPDATE").await?.id;
    let sql = "UPDATE endpoint SET deleted_at = $2 WHERE id = $1";
    link.run(sql, params![to_column(found.raw()), now]).await?;
    store
        .note_change(link, Changed::Endpoint, key, to_column(found.raw()))
        .await?;
    transaction.commit().await?;
    Ok(found)
}

/// Says whether it did; `NotFound` if there is no such endpoint.
pub(super) async fn disable(
    store: &PostgresStore,
    endpoint: EndpointId,
    disabled: Disabled,
) -> Result<bool, Fault> {
    let (key, since) = (to_column(endpoint.raw()), disabled.since.as_micros());
    let mut client = store.client().await?;
    let transaction = client.transaction().await?;
    let link = store.within(&transaction);
    let sql = "SELECT app_id FROM endpoint WHERE id = $1 AND deleted_at IS NULL";
    let app: AppId = id(&link.one(sql, params![key]).await?, 0)?;
    let app = to_column(app.raw());
    grow_routes(link, app).await?;
    let sql = "UPDATE endpoint SET disabled_since = $2, disabled_reason = $3 \
        WHERE id = $1 AND deleted_at IS NULL AND disabled_since IS NULL";
    let reason = word(&disabled.reason)?;
    if link.run(sql, params![key, since, reason]).await? == 0 {
        return Ok(false);
    }
    store.note_change(link, Changed::Endpoint, app, key).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) async fn keep_failing(
    store: &PostgresStore,
    endpoint: EndpointId,
    failing: Option<Failing>,
) -> Result<(), Fault> {
    let sql = "UPDATE endpoint SET failing = $2 WHERE id = $1 AND deleted_at IS NULL";
    let failing = failing.map(|failing| json(&failing)).transpose()?;
    let client = store.client().await?;
    store
        .link(&client)
        .run(sql, params![to_column(endpoint.raw()), failing])
        .await?;
    Ok(())
}
