//! Applications.

mod shape;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::page::{OrderParams, PageParams};
use ringbolt_gate::{
    Answer, Caller, Input, Kind, Permission, Problem, Query, Segments, Turn, both,
};
use ringbolt_model::{AppId, Application, Uid};
use ringbolt_store::{AppRef, Order, StoreError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::acts::Act;
use crate::permitted::creating;
use crate::room::{Here, Room, app_ref};

use shape::ApplicationPatch;
pub(crate) use shape::{ApplicationIn, ApplicationOut, Wanted, check_metadata};

pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, upsert, patch, delete))
}

/// List applications, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/app",
    tag = "Application",
    operation_id = "v1.application.list",
    params(PageParams, OrderParams),
    responses((status = 200, description = "A page of the list", body = Answer<ApplicationOut>), Problems)
)]
async fn list(
    State(room): Here,
    caller: Caller,
    query: Query,
) -> Result<Json<Answer<ApplicationOut>>, Problem> {
    caller.must(Permission::ListApplications)?;
    let turn = Turn::asked(&query, Order::Ascending)?;
    let found = room.store().applications(turn.page()).await?;
    Ok(Json(turn.answer(found, |app| app.id, |app| (&app).into())))
}

/// Create an application.
///
/// With `get_if_exists=true`, one that has this uid is answered with 200, unchanged.
#[utoipa::path(
    post,
    path = "/api/v1/app",
    tag = "Application",
    operation_id = "v1.application.create",
    params(
        ("get_if_exists" = Option<bool>, Query, description = "Answer the one that is there"),
        ("idempotency-key" = Option<String>, Header, description = "See *Idempotency*"),
    ),
    request_body = ApplicationIn,
    responses(
        (status = 200, description = "It was there", body = ApplicationOut),
        (status = 201, description = "It was created", body = ApplicationOut),
        Problems
    )
)]
async fn create(
    State(room): Here,
    caller: Caller,
    query: Query,
    input: Input<ApplicationIn>,
) -> Result<(StatusCode, Json<ApplicationOut>), Problem> {
    let (input, faults) = input.open();
    let existing = query.flag("get_if_exists", false);
    caller.must(creating(&query))?;
    let (existing, wanted) = both(existing, input.check(faults))?;
    if existing {
        let (app, created) = ensure(&room, caller, wanted).await?;
        let status = if created {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        return Ok((status, Json((&*app).into())));
    }
    let app = store_new(&room, wanted).await?;
    Ok((StatusCode::CREATED, Json((&app).into())))
}

/// The application with this uid, created if there is none; says whether it was.
pub(crate) async fn ensure(
    room: &Room,
    caller: Caller,
    wanted: Wanted,
) -> Result<(Arc<Application>, bool), Problem> {
    caller.must(Permission::EnsureApplications)?;
    let Some(uid) = wanted.uid.clone().map(AppRef::Uid) else {
        return Ok((Arc::new(store_new(room, wanted).await?), true));
    };
    match room.handle.application(&uid).await {
        Err(StoreError::NotFound) => {}
        found => return Ok((found?, false)),
    }
    match store_new(room, wanted).await {
        Ok(app) => Ok((Arc::new(app), true)),
        // Somebody else was quicker.
        Err(problem) if problem.status() == StatusCode::CONFLICT => {
            Ok((room.handle.application(&uid).await?, false))
        }
        Err(problem) => Err(problem),
    }
}

async fn store_new(room: &Room, wanted: Wanted) -> Result<Application, Problem> {
    let app = wanted.create(room.handle.new_id());
    let stored = room.store().create_application(app.clone()).await;
    stored.map_err(|error| Kind::Application.taken(error, app.uid.as_ref()))?;
    room.handle.application_changed(app.id);
    Ok(app)
}

/// Get an application.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}",
    tag = "Application",
    operation_id = "v1.application.get",
    params(("app_id" = String, Path, description = "Its id or uid")),
    responses((status = 200, description = "The application", body = ApplicationOut), Problems)
)]
async fn get(
    State(room): Here,
    caller: Caller,
    Segments(app): Segments<String>,
) -> Result<Json<ApplicationOut>, Problem> {
    let app = room.app(caller, Permission::ReadApplication, &app).await?;
    Ok(Json((&*app).into()))
}

/// Replace an application, or create it.
#[utoipa::path(
    put,
    path = "/api/v1/app/{app_id}",
    tag = "Application",
    operation_id = "v1.application.update",
    params(("app_id" = String, Path, description = "Its id or uid")),
    request_body = ApplicationIn,
    responses(
        (status = 200, description = "It was replaced", body = ApplicationOut),
        (status = 201, description = "It was created", body = ApplicationOut),
        Problems
    )
)]
async fn upsert(
    State(room): Here,
    caller: Caller,
    Segments(segment): Segments<String>,
    input: Input<ApplicationIn>,
) -> Result<(StatusCode, Json<ApplicationOut>), Problem> {
    caller.must(Permission::ChangeApplication)?;
    let named = app_ref(&segment)?;
    let (input, faults) = input.open();
    let mut wanted = input.check(faults)?;
    if let (None, AppRef::Uid(uid)) = (&wanted.uid, &named) {
        wanted.uid = Some(uid.clone());
    }
    match room.handle.application(&named).await {
        Ok(app) => {
            caller.must_reach(app.id, &segment)?;
            may_be_called(caller, &app, wanted.uid.as_ref())?;
            let (now, uid) = (room.now(), wanted.uid.clone());
            let app = edit(&room, app.id, uid, move |app| wanted.replace(app, now)).await?;
            Ok((StatusCode::OK, Json((&app).into())))
        }
        Err(StoreError::NotFound) if matches!(named, AppRef::Uid(_)) => {
            if !caller.may(Permission::CreateApplications) {
                return Err(Problem::missing(Kind::Application, &segment));
            }
            let app = store_new(&room, wanted).await?;
            Ok((StatusCode::CREATED, Json((&app).into())))
        }
        Err(error) => Err(Kind::Application.or(error, &segment)),
    }
}

/// Change an application.
#[utoipa::path(
    patch,
    path = "/api/v1/app/{app_id}",
    tag = "Application",
    operation_id = "v1.application.patch",
    params(("app_id" = String, Path, description = "Its id or uid")),
    request_body = ApplicationPatch,
    responses((status = 200, description = "The application", body = ApplicationOut), Problems)
)]
async fn patch(
    State(room): Here,
    caller: Caller,
    Segments(app): Segments<String>,
    input: Input<ApplicationPatch>,
) -> Result<Json<ApplicationOut>, Problem> {
    let app = room
        .app(caller, Permission::ChangeApplication, &app)
        .await?;
    let (input, faults) = input.open();
    let (change, now) = (input.check(faults)?, room.now());
    may_be_called(caller, &app, change.uid())?;
    let uid = change.uid().cloned();
    let app = edit(&room, app.id, uid, move |app| change.apply(app, now)).await?;
    Ok(Json((&app).into()))
}

/// Passes if the caller may give this uid. Uids are unique among all applications: whether one is taken would
/// tell a key of one application whom else the server works for.
fn may_be_called(caller: Caller, app: &Application, uid: Option<&Uid>) -> Result<(), Problem> {
    if caller.app.is_none() || uid.is_none() || uid == app.uid.as_ref() {
        return Ok(());
    }
    Err(Problem::forbidden(
        "this token is limited to one application and may not give it another uid; it takes a token that is not limited to one",
    ))
}

async fn edit(
    room: &Room,
    app: AppId,
    uid: Option<Uid>,
    change: impl FnMut(&mut Application) + Send + 'static,
) -> Result<Application, Problem> {
    let edited = room
        .store()
        .edit_application(AppRef::Id(app), Box::new(change));
    let app = edited
        .await
        .map_err(|error| Kind::Application.taken(error, uid))?;
    room.handle.application_changed(app.id);
    Ok(app)
}

/// Delete an application.
///
/// It is gone at once; what it owned is removed in the background.
#[utoipa::path(
    delete,
    path = "/api/v1/app/{app_id}",
    tag = "Application",
    operation_id = "v1.application.delete",
    params(("app_id" = String, Path, description = "Its id or uid")),
    responses((status = 204, description = "It is gone"), Problems)
)]
async fn delete(
    State(room): Here,
    caller: Caller,
    Segments(app): Segments<String>,
) -> Result<StatusCode, Problem> {
    let app = room
        .app(caller, Permission::ChangeApplication, &app)
        .await?;
    let endpoints = room.store().delete_application(AppRef::Id(app.id)).await?;
    room.handle.application_deleted(app.id, &endpoints);
    room.done(caller, Act::ApplicationDeleted(app.id));
    Ok(StatusCode::NO_CONTENT)
}
