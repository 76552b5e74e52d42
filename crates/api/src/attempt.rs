//! Attempts: what was tried, what came back, and trying again.

mod shape;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::page::PageParams;
use ringbolt_gate::{
    Answer, Caller, Kind, Permission, Problem, Query, Segments, Turn, Wrong, both,
};
use ringbolt_model::{AppId, AttemptId, EndpointId};
use ringbolt_store::{AttemptFilter, MessageRef, Order, StatusClass, StoreError};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::message::MessageOut;
use crate::room::{Here, Room, attempt_id};
use crate::status;
use shape::{MessageAttemptOut, View};

#[expect(deprecated, reason = "older SDKs still ask for these")]
pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .routes(routes!(list_by_endpoint))
        .routes(routes!(list_by_message))
        .routes(routes!(list_of_message))
        .routes(routes!(list_of_delivery))
        .routes(routes!(get))
        .routes(routes!(expunge))
        .routes(routes!(resend))
}

/// What the filters of lists of attempts mean, for OpenAPI.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters; `filter` reads them")]
struct AttemptParams {
    /// 0 success, 2 fail.
    status: Option<u8>,
    /// Attempts whose answer has a status from this hundred on: 0 (no answer), 100, … 500.
    status_code_class: Option<u16>,
    /// Attempts at messages of these types only.
    event_types: Option<Vec<String>>,
    /// Attempts at messages in this channel only.
    channel: Option<String>,
    /// Attempts at messages with this tag only.
    tag: Option<String>,
    /// Attempts that ended before this moment only.
    before: Option<String>,
    /// Attempts that ended after this moment only.
    after: Option<String>,
    /// Whether answers are shown.
    #[param(default = true)]
    with_content: Option<bool>,
}

fn filter(query: &Query, endpoint: Option<EndpointId>) -> Result<AttemptFilter, Problem> {
    let mut wrong = Wrong::default();
    let filter = AttemptFilter {
        event_types: wrong.or_default(query.list("event_types")),
        channel: wrong.or_default(query.read("channel")),
        tag: wrong.or_default(query.read("tag")),
        before: wrong.or_default(query.read("before")),
        after: wrong.or_default(query.read("after")),
        status: wrong.or_default(status::filter(query)),
        status_class: wrong.or_default(status_class(query)),
        endpoint,
        with_content: wrong.or_default(query.flag("with_content", true)),
    };
    wrong.end().map(|()| filter)
}

fn status_class(query: &Query) -> Result<Option<StatusClass>, Problem> {
    const EXPECTED: &str = "0 (no answer), 100, 200, 300, 400 or 500";
    match query.expect("status_code_class", EXPECTED)? {
        None => Ok(None),
        Some(class @ (0 | 100 | 200 | 300 | 400 | 500)) => Ok(Some(StatusClass(class))),
        Some(_) => {
            let what = format!("expected {EXPECTED}");
            Err(Problem::invalid_at("query", "status_code_class", what))
        }
    }
}

/// List the attempts at deliveries to an endpoint, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}",
    tag = "Message Attempt",
    operation_id = "v1.message-attempt.list-by-endpoint",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
        ("with_msg" = Option<bool>, Query, description = "Whether messages are shown, without their payloads"),
        PageParams, AttemptParams
    ),
    responses((status = 200, description = "A page of the list", body = Answer<MessageAttemptOut>), Problems)
)]
async fn list_by_endpoint(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
    query: Query,
) -> Result<Json<Answer<MessageAttemptOut>>, Problem> {
    let app = room.app(caller, Permission::ReadMessages, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let turn = Turn::<AttemptId>::asked(&query, Order::Descending);
    let shown = both(filter(&query, None), query.flag("with_msg", false));
    let (turn, (filter, with_msg)) = both(turn, shown)?;
    let view = View {
        operator: caller.is_operator(),
        with_content: filter.with_content,
    };
    let found = room
        .store()
        .endpoint_attempts(endpoint.id, filter, turn.page())
        .await?;
    let show = |attempt| MessageAttemptOut::new(&attempt, view);
    let mut page = turn.answer(found, |attempt| attempt.id, show);
    if with_msg {
        page.data = with_messages(&room, app.id, page.data).await?;
    }
    Ok(Json(page))
}

/// The same attempts, each with its message; one that is gone is left out.
async fn with_messages(
    room: &Room,
    app: AppId,
    attempts: Vec<MessageAttemptOut>,
) -> Result<Vec<MessageAttemptOut>, Problem> {
    let mut known = HashMap::new();
    let mut all = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        let id = attempt.message();
        if let Entry::Vacant(place) = known.entry(id) {
            let found = room.store().message(app, MessageRef::Id(id), false).await;
            place.insert(match found {
                Ok(message) => Some(MessageOut::new(&message, false)),
                Err(StoreError::NotFound) => None,
                Err(error) => return Err(error.into()),
            });
        }
        let message = known.get(&id).cloned().flatten();
        all.push(attempt.with(message));
    }
    Ok(all)
}

/// List the attempts at a message, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/attempt/msg/{msg_id}",
    tag = "Message Attempt",
    operation_id = "v1.message-attempt.list-by-msg",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("msg_id" = String, Path, description = "The message's id or event id"),
        ("endpoint_id" = Option<String>, Query, description = "At deliveries to it only"),
        PageParams, AttemptParams
    ),
    responses((status = 200, description = "A page of the list", body = Answer<MessageAttemptOut>), Problems)
)]
async fn list_by_message(
    State(room): Here,
    caller: Caller,
    Segments((app, message)): Segments<(String, String)>,
    query: Query,
) -> Result<Json<Answer<MessageAttemptOut>>, Problem> {
    let app = room.app(caller, Permission::ReadMessages, &app).await?;
    let endpoint = query.text("endpoint_id").map(str::to_owned);
    page_of_message(&room, caller, app.id, &message, endpoint.as_deref(), &query).await
}

/// List the attempts at a message (an older path of the same list).
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/msg/{msg_id}/attempt",
    tag = "Message Attempt",
    operation_id = "v1.message-attempt.list-by-msg-deprecated",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("msg_id" = String, Path, description = "The message's id or event id"),
        ("endpoint_id" = Option<String>, Query, description = "At deliveries to it only"),
        PageParams, AttemptParams
    ),
    responses((status = 200, description = "A page of the list", body = Answer<MessageAttemptOut>), Problems)
)]
#[deprecated = "newer SDKs ask for `/attempt/msg/{msg_id}`"]
async fn list_of_message(
    room: Here,
    caller: Caller,
    segments: Segments<(String, String)>,
    query: Query,
) -> Result<Json<Answer<MessageAttemptOut>>, Problem> {
    list_by_message(room, caller, segments, query).await
}

/// List the attempts at the delivery of a message to an endpoint (an older list).
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/attempt",
    tag = "Message Attempt",
    operation_id = "v1.message-attempt.list-by-endpoint-deprecated",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("msg_id" = String, Path, description = "The message's id or event id"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
        PageParams, AttemptParams
    ),
    responses((status = 200, description = "A page of the list", body = Answer<MessageAttemptOut>), Problems)
)]
#[deprecated = "newer SDKs ask for `/attempt/msg/{msg_id}?endpoint_id=…`"]
async fn list_of_delivery(
    State(room): Here,
    caller: Caller,
    Segments((app, message, endpoint)): Segments<(String, String, String)>,
    query: Query,
) -> Result<Json<Answer<MessageAttemptOut>>, Problem> {
    let app = room.app(caller, Permission::ReadMessages, &app).await?;
    page_of_message(&room, caller, app.id, &message, Some(&endpoint), &query).await
}

async fn page_of_message(
    room: &Room,
    caller: Caller,
    app: AppId,
    message: &str,
    endpoint: Option<&str>,
    query: &Query,
) -> Result<Json<Answer<MessageAttemptOut>>, Problem> {
    let message = room.message(app, message, false).await?;
    let endpoint = match endpoint {
        Some(segment) => Some(room.endpoint(app, segment).await?.id),
        None => None,
    };
    let turn = Turn::<AttemptId>::asked(query, Order::Descending);
    let (turn, filter) = both(turn, filter(query, endpoint))?;
    let view = View {
        operator: caller.is_operator(),
        with_content: filter.with_content,
    };
    let found = room
        .store()
        .message_attempts(app, message.id, filter, turn.page())
        .await?;
    let show = |attempt| MessageAttemptOut::new(&attempt, view);
    Ok(Json(turn.answer(found, |attempt| attempt.id, show)))
}

/// Get an attempt.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}",
    tag = "Message Attempt",
    operation_id = "v1.message-attempt.get",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("msg_id" = String, Path, description = "The message's id or event id"),
        ("attempt_id" = String, Path, description = "The attempt's id"),
    ),
    responses((status = 200, description = "The attempt", body = MessageAttemptOut), Problems)
)]
async fn get(
    State(room): Here,
    caller: Caller,
    Segments((app, message, attempt)): Segments<(String, String, String)>,
) -> Result<Json<MessageAttemptOut>, Problem> {
    let app = room.app(caller, Permission::ReadMessages, &app).await?;
    let message = room.message(app.id, &message, false).await?;
    let id = attempt_id(&attempt)?;
    let found = room.store().attempt(app.id, message.id, id).await;
    let attempt = found.map_err(|error| Kind::Attempt.or(error, &attempt))?;
    let view = View {
        operator: caller.is_operator(),
        with_content: true,
    };
    Ok(Json(MessageAttemptOut::new(&attempt, view)))
}

/// Remove what an endpoint answered; the answer then reads `EXPUNGED`.
#[utoipa::path(
    delete,
    path = "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content",
    tag = "Message Attempt",
    operation_id = "v1.message-attempt.expunge-content",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("msg_id" = String, Path, description = "The message's id or event id"),
        ("attempt_id" = String, Path, description = "The attempt's id"),
    ),
    responses((status = 204, description = "It is gone"), Problems)
)]
async fn expunge(
    State(room): Here,
    caller: Caller,
    Segments((app, message, attempt)): Segments<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let app = room.app(caller, Permission::Expunge, &app).await?;
    let message = room.message(app.id, &message, false).await?;
    let id = attempt_id(&attempt)?;
    let gone = room.store().expunge_attempt(app.id, message.id, id).await;
    gone.map_err(|error| Kind::Attempt.or(error, &attempt))?;
    Ok(StatusCode::NO_CONTENT)
}

/// An empty object: SDKs read every answer but 204 as JSON.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct EmptyResponse {}

/// Send a message to an endpoint again.
#[utoipa::path(
    post,
    path = "/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend",
    tag = "Message Attempt",
    operation_id = "v1.message-attempt.resend",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("msg_id" = String, Path, description = "The message's id or event id"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
        ("idempotency-key" = Option<String>, Header, description = "See *Idempotency*"),
    ),
    responses((status = 202, description = "It is due", body = EmptyResponse), Problems)
)]
async fn resend(
    State(room): Here,
    caller: Caller,
    Segments((app, message, endpoint)): Segments<(String, String, String)>,
) -> Result<(StatusCode, Json<EmptyResponse>), Problem> {
    let app = room.app(caller, Permission::Resend, &app).await?;
    let message = room.message(app.id, &message, false).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    room.handle.resend(app.id, message.id, endpoint.id).await?;
    Ok((StatusCode::ACCEPTED, Json(EmptyResponse {})))
}
