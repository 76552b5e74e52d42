//! Endpoints.

mod asker;
mod checked;
mod example;
mod failing;
mod header_rules;
mod headers;
mod secret;
mod shape;
mod stats;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::page::{OrderParams, PageParams};
use ringbolt_gate::{
    Answer, Caller, Flags, Input, Kind, Permission, Problem, Query, Segments, Turn,
};
use ringbolt_model::{AppId, Endpoint, EndpointSecrets};
use ringbolt_store::{EndpointRef, NewEndpoint, Order, StoreError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::acts::{Act, Before};
use crate::room::{Here, Room, endpoint_ref};

pub(crate) use shape::EndpointOut;

use asker::Asker;
use checked::Wanted;
use shape::{EndpointIn, EndpointPatch};

pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, upsert, patch, delete))
        .routes(routes!(secret::get_secret))
        .routes(routes!(secret::rotate_secret))
        .routes(routes!(
            headers::get_headers,
            headers::set_headers,
            headers::patch_headers
        ))
        .routes(routes!(failing::list_failing))
        .routes(routes!(stats::get_stats))
        .routes(routes!(stats::recover))
        .routes(routes!(example::send_example))
}

/// List the endpoints of an application, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/endpoint",
    tag = "Endpoint",
    operation_id = "v1.endpoint.list",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        PageParams, OrderParams
    ),
    responses((status = 200, description = "A page of the list", body = Answer<EndpointOut>), Problems)
)]
async fn list(
    State(room): Here,
    caller: Caller,
    Segments(app): Segments<String>,
    query: Query,
) -> Result<Json<Answer<EndpointOut>>, Problem> {
    let app = room.app(caller, Permission::ReadEndpoints, &app).await?;
    let turn = Turn::asked(&query, Order::Descending)?;
    let found = room.store().endpoints(app.id, turn.page()).await?;
    Ok(Json(turn.answer(
        found,
        |endpoint| endpoint.id,
        |endpoint| (&endpoint).into(),
    )))
}

/// Create an endpoint.
#[utoipa::path(
    post,
    path = "/api/v1/app/{app_id}/endpoint",
    tag = "Endpoint",
    operation_id = "v1.endpoint.create",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("idempotency-key" = Option<String>, Header, description = "See *Idempotency*"),
    ),
    request_body = EndpointIn,
    responses((status = 201, description = "It was created", body = EndpointOut), Problems)
)]
async fn create(
    State(room): Here,
    caller: Caller,
    flags: Flags,
    Segments(app): Segments<String>,
    input: Input<EndpointIn>,
) -> Result<(StatusCode, Json<EndpointOut>), Problem> {
    let app = room.app(caller, Permission::ChangeEndpoints, &app).await?;
    let (input, faults) = input.open();
    let asker = Asker {
        room: &room,
        caller,
        flags: &flags,
        app: app.id,
        endpoint: None,
    };
    let wanted = input.check(asker, faults).await?;
    let endpoint = store_new(&room, app.id, wanted).await?;
    Ok((StatusCode::CREATED, Json((&endpoint).into())))
}

async fn store_new(room: &Room, app: AppId, wanted: Wanted) -> Result<Endpoint, Problem> {
    let endpoint = wanted.create(room.handle.new_id(), app);
    let current = wanted.secret.map_or_else(secret::draw, Ok)?;
    let new = NewEndpoint {
        endpoint: endpoint.clone(),
        secrets: EndpointSecrets {
            current,
            old: Vec::new(),
        },
        headers: wanted.headers.unwrap_or_default(),
    };
    let stored = room.store().create_endpoint(new).await;
    stored.map_err(|error| Kind::Endpoint.taken(error, endpoint.uid.as_ref()))?;
    room.handle.endpoint_changed(&endpoint);
    Ok(endpoint)
}

/// Get an endpoint.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}",
    tag = "Endpoint",
    operation_id = "v1.endpoint.get",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
    ),
    responses((status = 200, description = "The endpoint", body = EndpointOut), Problems)
)]
async fn get(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
) -> Result<Json<EndpointOut>, Problem> {
    let app = room.app(caller, Permission::ReadEndpoints, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    Ok(Json((&endpoint).into()))
}

/// Replace an endpoint, or create it.
///
/// Its secret stays; its headers stay unless some are given.
#[utoipa::path(
    put,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}",
    tag = "Endpoint",
    operation_id = "v1.endpoint.update",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
    ),
    request_body = EndpointIn,
    responses(
        (status = 200, description = "It was replaced", body = EndpointOut),
        (status = 201, description = "It was created", body = EndpointOut),
        Problems
    )
)]
async fn upsert(
    State(room): Here,
    caller: Caller,
    flags: Flags,
    Segments((app, segment)): Segments<(String, String)>,
    input: Input<EndpointIn>,
) -> Result<(StatusCode, Json<EndpointOut>), Problem> {
    let app = room.app(caller, Permission::ChangeEndpoints, &app).await?;
    let named = endpoint_ref(&segment)?;
    let (input, faults) = input.open();
    let asker = Asker {
        room: &room,
        caller,
        flags: &flags,
        app: app.id,
        endpoint: Some(&named),
    };
    let mut wanted = input.check(asker, faults).await?;
    if let (None, EndpointRef::Uid(uid)) = (&wanted.uid, &named) {
        wanted.uid = Some(uid.clone());
    }
    let (new, now, before) = (wanted.clone(), room.now(), Before::default());
    let look = before.clone();
    let replace = Box::new(move |endpoint: &mut Endpoint| {
        look.look(endpoint);
        wanted.replace(endpoint, now);
    });
    match room
        .store()
        .edit_endpoint(app.id, named.clone(), replace)
        .await
    {
        Ok(endpoint) => {
            if let Some(headers) = new.headers {
                let set = Box::new(move |all: &mut _| *all = headers.clone());
                room.store().edit_headers(endpoint.id, set).await?;
            }
            changed(&room, caller, &endpoint, &before);
            Ok((StatusCode::OK, Json((&endpoint).into())))
        }
        Err(StoreError::NotFound) if matches!(named, EndpointRef::Uid(_)) => {
            let endpoint = store_new(&room, app.id, new).await?;
            Ok((StatusCode::CREATED, Json((&endpoint).into())))
        }
        Err(StoreError::NotFound) => Err(Problem::missing(Kind::Endpoint, &segment)),
        Err(error) => Err(Kind::Endpoint.taken(error, new.uid)),
    }
}

/// Change an endpoint.
#[utoipa::path(
    patch,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}",
    tag = "Endpoint",
    operation_id = "v1.endpoint.patch",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
    ),
    request_body = EndpointPatch,
    responses((status = 200, description = "The endpoint", body = EndpointOut), Problems)
)]
async fn patch(
    State(room): Here,
    caller: Caller,
    flags: Flags,
    Segments((app, endpoint)): Segments<(String, String)>,
    input: Input<EndpointPatch>,
) -> Result<Json<EndpointOut>, Problem> {
    let app = room.app(caller, Permission::ChangeEndpoints, &app).await?;
    let named = endpoint_ref(&endpoint)?;
    let (input, faults) = input.open();
    let asker = Asker {
        room: &room,
        caller,
        flags: &flags,
        app: app.id,
        endpoint: Some(&named),
    };
    let (change, now) = (input.check(asker, faults).await?, room.now());
    let uid = change.uid().cloned();
    let before = Before::default();
    let look = before.clone();
    let edit = Box::new(move |endpoint: &mut Endpoint| {
        look.look(endpoint);
        change.apply(endpoint, now);
    });
    let endpoint = match room.store().edit_endpoint(app.id, named, edit).await {
        Ok(edited) => edited,
        Err(StoreError::NotFound) => return Err(Problem::missing(Kind::Endpoint, &endpoint)),
        Err(error) => return Err(Kind::Endpoint.taken(error, uid)),
    };
    changed(&room, caller, &endpoint, &before);
    Ok(Json((&endpoint).into()))
}

/// Tells whom it concerns that an edit of an endpoint is committed.
fn changed(room: &Room, caller: Caller, endpoint: &Endpoint, before: &Before) {
    room.handle.endpoint_changed(endpoint);
    if let Some(act) = before.act(endpoint) {
        room.done(caller, act);
    }
}

/// Delete an endpoint.
///
/// What was still to be delivered to it is cancelled.
#[utoipa::path(
    delete,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}",
    tag = "Endpoint",
    operation_id = "v1.endpoint.delete",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
    ),
    responses((status = 204, description = "It is gone"), Problems)
)]
async fn delete(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
) -> Result<StatusCode, Problem> {
    let app = room.app(caller, Permission::ChangeEndpoints, &app).await?;
    let named = endpoint_ref(&endpoint)?;
    let gone = room.store().delete_endpoint(app.id, named).await;
    let gone = gone.map_err(|error| Kind::Endpoint.or(error, &endpoint))?;
    room.handle.endpoint_deleted(app.id, gone);
    room.done(caller, Act::EndpointDeleted(app.id, gone));
    Ok(StatusCode::NO_CONTENT)
}
