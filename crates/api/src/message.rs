//! Messages: looking them up and removing their content. Accepting them is in `hot`.

mod shape;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::page::PageParams;
use ringbolt_gate::{Answer, Caller, Permission, Problem, Query, Segments, Turn, Wrong, both};
use ringbolt_model::{Endpoint, Message, MessageId, Timestamp};
use ringbolt_store::{DeliveryView, MessageFilter, Order};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::due::Due;
use crate::endpoint::EndpointOut;
use crate::room::{Here, Room};
use crate::status;

pub(crate) use shape::MessageOut;

pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(expunge))
        .routes(routes!(list_of_endpoint))
        .routes(routes!(list_destinations))
}

/// What the filters of lists of messages mean, for OpenAPI.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters; `filter` reads them")]
pub(crate) struct MessageParams {
    /// Messages of these types only.
    event_types: Option<Vec<String>>,
    /// Messages in this channel only.
    channel: Option<String>,
    /// Messages with this tag only.
    tag: Option<String>,
    /// Messages accepted before this moment only.
    before: Option<String>,
    /// Messages accepted after this moment only.
    after: Option<String>,
    /// Whether payloads are shown.
    #[param(default = true)]
    with_content: Option<bool>,
}

fn filter(query: &Query) -> Result<MessageFilter, Problem> {
    let mut wrong = Wrong::default();
    let filter = MessageFilter {
        event_types: wrong.or_default(query.list("event_types")),
        channel: wrong.or_default(query.read("channel")),
        tag: wrong.or_default(query.read("tag")),
        before: wrong.or_default(query.read("before")),
        after: wrong.or_default(query.read("after")),
        status: None,
        with_content: wrong.or_default(query.flag("with_content", true)),
    };
    wrong.end().map(|()| filter)
}

/// List the messages of an application, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/msg",
    tag = "Message",
    operation_id = "v1.message.list",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        PageParams, MessageParams
    ),
    responses((status = 200, description = "A page of the list", body = Answer<MessageOut>), Problems)
)]
async fn list(
    State(room): Here,
    caller: Caller,
    Segments(app): Segments<String>,
    query: Query,
) -> Result<Json<Answer<MessageOut>>, Problem> {
    let app = room.app(caller, Permission::ReadMessages, &app).await?;
    let (turn, filter) = both(Turn::asked(&query, Order::Descending), filter(&query))?;
    let shown = filter.with_content;
    let found = room.store().messages(app.id, filter, turn.page()).await?;
    let show = |message| MessageOut::new(&message, shown);
    Ok(Json(turn.answer(found, |message| message.id, show)))
}

/// Get a message.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/msg/{msg_id}",
    tag = "Message",
    operation_id = "v1.message.get",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("msg_id" = String, Path, description = "The message's id or event id"),
        ("with_content" = Option<bool>, Query, description = "Whether the payload is shown"),
    ),
    responses((status = 200, description = "The message", body = MessageOut), Problems)
)]
async fn get(
    State(room): Here,
    caller: Caller,
    Segments((app, message)): Segments<(String, String)>,
    query: Query,
) -> Result<Json<MessageOut>, Problem> {
    let app = room.app(caller, Permission::ReadMessages, &app).await?;
    let with_content = query.flag("with_content", true)?;
    let message = room.message(app.id, &message, with_content).await?;
    Ok(Json(MessageOut::new(&message, with_content)))
}

/// Remove the payload of a message for good.
#[utoipa::path(
    delete,
    path = "/api/v1/app/{app_id}/msg/{msg_id}/content",
    tag = "Message",
    operation_id = "v1.message.expunge-content",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("msg_id" = String, Path, description = "The message's id or event id"),
    ),
    responses((status = 204, description = "It is gone"), Problems)
)]
async fn expunge(
    State(room): Here,
    caller: Caller,
    Segments((app, message)): Segments<(String, String)>,
) -> Result<StatusCode, Problem> {
    let app = room.app(caller, Permission::Expunge, &app).await?;
    let message = room.message(app.id, &message, false).await?;
    room.store().expunge_message(app.id, message.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A message with where its delivery to an endpoint stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointMessageOut {
    #[serde(flatten)]
    message: MessageOut,
    /// 0 success, 1 pending, 2 fail, 4 canceled.
    status: u8,
    /// The same in words.
    status_text: &'static str,
    /// When the next try is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    next_attempt: Option<Timestamp>,
    /// What it waits for besides: `breaker` (the endpoint fails, and one delivery at a time probes it) or
    /// `retry_after` (the endpoint asked to wait).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    waits_for: Option<&'static str>,
    /// Whether it waits for the endpoint to be enabled.
    parked: bool,
}

/// An endpoint with where a message's delivery to it stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageEndpointOut {
    #[serde(flatten)]
    endpoint: EndpointOut,
    /// 0 success, 1 pending, 2 fail, 4 canceled.
    status: u8,
    /// The same in words.
    status_text: &'static str,
    /// When the next try is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    next_attempt: Option<Timestamp>,
    /// What it waits for besides: `breaker` (the endpoint fails, and one delivery at a time probes it) or
    /// `retry_after` (the endpoint asked to wait).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    waits_for: Option<&'static str>,
    /// Whether it waits for the endpoint to be enabled.
    parked: bool,
}

/// List the messages owed to an endpoint, newest first, with where their delivery stands.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg",
    tag = "Message Attempt",
    operation_id = "v1.message-attempt.list-attempted-messages",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
        ("status" = Option<u8>, Query, description = "0 success, 1 pending, 2 fail, 4 canceled"),
        PageParams, MessageParams
    ),
    responses((status = 200, description = "A page of the list", body = Answer<EndpointMessageOut>), Problems)
)]
async fn list_of_endpoint(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
    query: Query,
) -> Result<Json<Answer<EndpointMessageOut>>, Problem> {
    let app = room.app(caller, Permission::ReadMessages, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let turn = Turn::<MessageId>::asked(&query, Order::Descending);
    let states = both(status::filter(&query), status::expanded(&query));
    let ((turn, filter), (status, expanded)) = both(both(turn, filter(&query)), states)?;
    let filter = MessageFilter { status, ..filter };
    let shown = filter.with_content;
    let found = room
        .store()
        .endpoint_messages(endpoint.id, filter, turn.page())
        .await?;
    let (lane, now) = (room.handle.lane(endpoint.id), room.now());
    let show = |(message, view): (Message, DeliveryView)| {
        let status = status::of_delivery(&view, expanded);
        let due = Due::new(&view, lane.as_ref(), now);
        EndpointMessageOut {
            message: MessageOut::new(&message, shown),
            status: status.number,
            status_text: status.text,
            next_attempt: due.at,
            waits_for: due.waits_for,
            parked: view.parked,
        }
    };
    Ok(Json(turn.answer(found, |(message, _)| message.id, show)))
}

/// List the endpoints that a message is owed to, oldest first, with where its delivery stands.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/msg/{msg_id}/endpoint",
    tag = "Message Attempt",
    operation_id = "v1.message-attempt.list-attempted-destinations",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("msg_id" = String, Path, description = "The message's id or event id"),
        PageParams
    ),
    responses((status = 200, description = "A page of the list", body = Answer<MessageEndpointOut>), Problems)
)]
async fn list_destinations(
    State(room): Here,
    caller: Caller,
    Segments((app, message)): Segments<(String, String)>,
    query: Query,
) -> Result<Json<Answer<MessageEndpointOut>>, Problem> {
    let app = room.app(caller, Permission::ReadMessages, &app).await?;
    let message = room.message(app.id, &message, false).await?;
    let turn = Turn::asked(&query, Order::Ascending);
    let (turn, expanded) = both(turn, status::expanded(&query))?;
    let found = room
        .store()
        .message_deliveries(app.id, message.id, turn.page())
        .await?;
    let now = room.now();
    let show = |(endpoint, view): (Endpoint, DeliveryView)| {
        let status = status::of_delivery(&view, expanded);
        let due = Due::new(&view, room.handle.lane(endpoint.id).as_ref(), now);
        MessageEndpointOut {
            endpoint: (&endpoint).into(),
            status: status.number,
            status_text: status.text,
            next_attempt: due.at,
            waits_for: due.waits_for,
            parked: view.parked,
        }
    };
    Ok(Json(turn.answer(found, |(endpoint, _)| endpoint.id, show)))
}
