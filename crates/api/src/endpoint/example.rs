//! Sending an example of an event type to an endpoint.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use ringbolt_delivery::Draft;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::{Caller, Input, Permission, Problem, Segments};
use ringbolt_model::{Application, Endpoint, EventTypeName, Message};
use ringbolt_store::StoreError;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

use crate::message::MessageOut;
use crate::room::{Here, Room, refused};

/// An event type that needs no creating.
const PING: &str = "svix.ping";
/// What it sends.
const PING_EXAMPLE: &str = r#"{"success":true}"#;
/// The version of a schema whose examples are sent.
const VERSION: &str = "1";

/// Which example to send.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventExampleIn {
    /// Of which event type; `svix.ping` is always there.
    #[schema(required = true, value_type = String)]
    event_type: Option<String>,
    /// Which of its schema's examples; the first if absent.
    example_index: Option<usize>,
    /// What to send instead of an example.
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
}

/// Send an example of an event type to an endpoint.
///
/// The example is the first one in the `examples` of version `1` of the event type's schema.
#[utoipa::path(
    post,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/send-example",
    tag = "Endpoint",
    operation_id = "v1.endpoint.send-example",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
        ("idempotency-key" = Option<String>, Header, description = "See *Idempotency*"),
    ),
    request_body = EventExampleIn,
    responses((status = 200, description = "The message that was sent", body = MessageOut), Problems)
)]
pub(super) async fn send_example(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
    input: Input<EventExampleIn>,
) -> Result<Json<MessageOut>, Problem> {
    let app = room.app(caller, Permission::SendExamples, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let (input, mut faults) = input.open();
    let event_type = faults.required("eventType", input.event_type);
    let event_type = faults.parsed("eventType", event_type.as_deref());
    let Some(event_type) = event_type else {
        return Err(faults.into_problem());
    };
    faults.end()?;
    let payload = match input.payload {
        Some(payload) => payload.get().to_owned(),
        None => example(&room, &event_type, input.example_index.unwrap_or(0)).await?,
    };
    let message = send(&room, &app, &endpoint, event_type, payload.into()).await?;
    Ok(Json(MessageOut::new(&message, true)))
}

async fn example(room: &Room, name: &EventTypeName, index: usize) -> Result<String, Problem> {
    let wrong = |what: &str| Problem::invalid_at("body", "eventType", what);
    let event_type = match room.store().event_type(name.clone()).await {
        Err(StoreError::NotFound) if name.as_str() == PING => return Ok(PING_EXAMPLE.to_owned()),
        Err(StoreError::NotFound) => return Err(wrong("there is no such event type")),
        found => found?,
    };
    let found = event_type
        .schemas
        .as_deref()
        .and_then(|schemas| pick(schemas, index));
    found.ok_or_else(|| wrong("the schema of this event type has no such example in version 1"))
}

/// An example in a map of schemas by version, as it was written there.
fn pick(schemas: &str, index: usize) -> Option<String> {
    let versions: BTreeMap<String, &RawValue> = serde_json::from_str(schemas).ok()?;
    let schema: BTreeMap<String, &RawValue> =
        serde_json::from_str(versions.get(VERSION)?.get()).ok()?;
    let examples: Vec<&RawValue> = serde_json::from_str(schema.get("examples")?.get()).ok()?;
    Some((*examples.get(index)?).get().to_owned())
}

/// Accepts the message for this endpoint only, whether or not it wants messages like it.
async fn send(
    room: &Room,
    app: &Arc<Application>,
    endpoint: &Endpoint,
    event_type: EventTypeName,
    payload: Bytes,
) -> Result<Message, Problem> {
    let draft = Draft {
        event_type: event_type.clone(),
        event_id: None,
        channels: Arc::default(),
        tags: Arc::default(),
        content_type: room.json.clone(),
        payload: payload.clone(),
        expires_at: None,
        idempotency: None,
    };
    let taken = room.handle.accept_for(app, endpoint, draft).await;
    Ok(Message {
        id: taken.map_err(refused)?.id,
        app: app.id,
        event_type,
        event_id: None,
        channels: Arc::default(),
        tags: Arc::default(),
        content_type: room.json.clone(),
        payload: Some(payload),
        expires_at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_taken_as_it_was_written() {
        let schemas = r#"{"1":{"type":"object","examples":[{"b": 1.50, "a":2},[]]},"2":{}}"#;
        assert_eq!(pick(schemas, 0).unwrap(), r#"{"b": 1.50, "a":2}"#);
        assert_eq!(pick(schemas, 1).unwrap(), "[]");
        assert_eq!(pick(schemas, 2), None);
        assert_eq!(pick(r#"{"2":{"examples":[1]}}"#, 0), None);
    }
}
