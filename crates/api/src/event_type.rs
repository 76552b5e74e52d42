//! Event types.

mod schemas;
mod shape;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::page::{OrderParams, PageParams};
use ringbolt_gate::{
    Answer, Caller, Flags, Input, Kind, Permission, Problem, Query, Segments, Turn, both,
};
use ringbolt_model::{EventType, EventTypeName, Role};
use ringbolt_store::{EventTypesShown, Order, StoreError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::room::{Here, Room};
use shape::{EventTypeIn, EventTypeOut, EventTypePatch, replace};

pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, upsert, patch, delete))
}

/// Whether a caller sees an event type with this flag: those behind one are not for every portal.
pub(crate) fn visible(caller: Caller, flags: &Flags, flag: Option<&str>) -> bool {
    caller.role != Role::Portal || flag.is_none_or(|flag| flags.0.contains(flag))
}

fn name_of(segment: &str) -> Result<EventTypeName, Problem> {
    segment
        .parse()
        .map_err(|_| Problem::missing(Kind::EventType, segment))
}

/// List event types by name.
#[utoipa::path(
    get,
    path = "/api/v1/event-type",
    tag = "Event Type",
    operation_id = "v1.event-type.list",
    params(
        PageParams, OrderParams,
        ("include_archived" = Option<bool>, Query, description = "Whether archived ones are listed"),
        ("with_content" = Option<bool>, Query, description = "Whether schemas are shown"),
    ),
    responses((status = 200, description = "A page of the list", body = Answer<EventTypeOut>), Problems)
)]
async fn list(
    State(room): Here,
    caller: Caller,
    flags: Flags,
    query: Query,
) -> Result<Json<Answer<EventTypeOut>>, Problem> {
    caller.must(Permission::ReadEventTypes)?;
    let shown = both(
        query.flag("include_archived", false),
        query.flag("with_content", false),
    );
    let turn = Turn::asked(&query, Order::Ascending);
    let (turn, (archived, schemas)) = both(turn, shown)?;
    let shown = EventTypesShown { archived, schemas };
    let mut found = room.store().event_types(turn.page(), shown).await?;
    found
        .items
        .retain(|event_type| visible(caller, &flags, event_type.feature_flag.as_deref()));
    let show = |event_type| EventTypeOut::new(event_type, schemas);
    Ok(Json(turn.answer(
        found,
        |event_type| event_type.name.clone(),
        show,
    )))
}

/// Create an event type, or bring back an archived one.
#[utoipa::path(
    post,
    path = "/api/v1/event-type",
    tag = "Event Type",
    operation_id = "v1.event-type.create",
    params(("idempotency-key" = Option<String>, Header, description = "See *Idempotency*")),
    request_body = EventTypeIn,
    responses((status = 201, description = "It was created", body = EventTypeOut), Problems)
)]
async fn create(
    State(room): Here,
    caller: Caller,
    input: Input<EventTypeIn>,
) -> Result<(StatusCode, Json<EventTypeOut>), Problem> {
    caller.must(Permission::ChangeEventTypes)?;
    let (input, faults) = input.open();
    let event_type = input.check(faults, None, room.now())?;
    store_new(&room, event_type.clone()).await?;
    Ok((
        StatusCode::CREATED,
        Json(EventTypeOut::new(event_type, true)),
    ))
}

async fn store_new(room: &Room, event_type: EventType) -> Result<(), Problem> {
    let name = event_type.name.clone();
    let stored = room.store().create_event_type(event_type).await;
    stored.map_err(|error| match error {
        StoreError::Conflict(_) => {
            let detail = format!("there is an event type `{name}` already");
            Problem::conflict(detail).coded("event_type_exists")
        }
        other => other.into(),
    })
}

/// Get an event type, archived or not.
#[utoipa::path(
    get,
    path = "/api/v1/event-type/{event_type_name}",
    tag = "Event Type",
    operation_id = "v1.event-type.get",
    params(("event_type_name" = String, Path, description = "Its name")),
    responses((status = 200, description = "The event type", body = EventTypeOut), Problems)
)]
async fn get(
    State(room): Here,
    caller: Caller,
    flags: Flags,
    Segments(name): Segments<String>,
) -> Result<Json<EventTypeOut>, Problem> {
    caller.must(Permission::ReadEventTypes)?;
    let found = room.store().event_type(name_of(&name)?).await;
    let event_type = found.map_err(|error| Kind::EventType.or(error, &name))?;
    if !visible(caller, &flags, event_type.feature_flag.as_deref()) {
        return Err(Problem::missing(Kind::EventType, &name));
    }
    Ok(Json(EventTypeOut::new(event_type, true)))
}

/// Replace an event type, or create it.
#[utoipa::path(
    put,
    path = "/api/v1/event-type/{event_type_name}",
    tag = "Event Type",
    operation_id = "v1.event-type.update",
    params(("event_type_name" = String, Path, description = "Its name")),
    request_body = EventTypeIn,
    responses(
        (status = 200, description = "It was replaced", body = EventTypeOut),
        (status = 201, description = "It was created", body = EventTypeOut),
        Problems
    )
)]
async fn upsert(
    State(room): Here,
    caller: Caller,
    Segments(segment): Segments<String>,
    input: Input<EventTypeIn>,
) -> Result<(StatusCode, Json<EventTypeOut>), Problem> {
    caller.must(Permission::ChangeEventTypes)?;
    let name: EventTypeName = segment
        .parse()
        .map_err(|what| Problem::invalid_at("path", "event_type_name", what))?;
    let (input, faults) = input.open();
    let wanted = input.check(faults, Some(name.clone()), room.now())?;
    let new = wanted.clone();
    let edit = Box::new(move |event_type: &mut EventType| replace(event_type, &wanted));
    match room.store().edit_event_type(name, edit).await {
        Ok(event_type) => Ok((StatusCode::OK, Json(EventTypeOut::new(event_type, true)))),
        Err(StoreError::NotFound) => {
            store_new(&room, new.clone()).await?;
            Ok((StatusCode::CREATED, Json(EventTypeOut::new(new, true))))
        }
        Err(error) => Err(error.into()),
    }
}

/// Change an event type.
#[utoipa::path(
    patch,
    path = "/api/v1/event-type/{event_type_name}",
    tag = "Event Type",
    operation_id = "v1.event-type.patch",
    params(("event_type_name" = String, Path, description = "Its name")),
    request_body = EventTypePatch,
    responses((status = 200, description = "The event type", body = EventTypeOut), Problems)
)]
async fn patch(
    State(room): Here,
    caller: Caller,
    Segments(name): Segments<String>,
    input: Input<EventTypePatch>,
) -> Result<Json<EventTypeOut>, Problem> {
    caller.must(Permission::ChangeEventTypes)?;
    let (input, faults) = input.open();
    let (named, change, now) = (name_of(&name)?, input.check(faults)?, room.now());
    let edit = Box::new(move |event_type: &mut EventType| change.apply(event_type, now));
    let edited = room.store().edit_event_type(named, edit).await;
    let event_type = edited.map_err(|error| Kind::EventType.or(error, &name))?;
    Ok(Json(EventTypeOut::new(event_type, true)))
}

/// Archive an event type; with `expunge=true`, remove it for good.
#[utoipa::path(
    delete,
    path = "/api/v1/event-type/{event_type_name}",
    tag = "Event Type",
    operation_id = "v1.event-type.delete",
    params(
        ("event_type_name" = String, Path, description = "Its name"),
        ("expunge" = Option<bool>, Query, description = "Remove it for good"),
    ),
    responses((status = 204, description = "It is archived, or gone"), Problems)
)]
async fn delete(
    State(room): Here,
    caller: Caller,
    Segments(name): Segments<String>,
    query: Query,
) -> Result<StatusCode, Problem> {
    caller.must(Permission::ChangeEventTypes)?;
    let (named, now) = (name_of(&name)?, room.now());
    let done = if query.flag("expunge", false)? {
        room.store().expunge_event_type(named).await
    } else {
        let archive = move |event_type: &mut EventType| {
            event_type.archived = true;
            event_type.updated_at = now.max(event_type.created_at);
        };
        let archived = room.store().edit_event_type(named, Box::new(archive));
        archived.await.map(drop)
    };
    done.map_err(|error| Kind::EventType.or(error, &name))?;
    Ok(StatusCode::NO_CONTENT)
}
