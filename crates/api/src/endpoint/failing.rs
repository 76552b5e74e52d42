//! Which endpoints of all applications fail now: since when, why, and how much waits for them.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use ringbolt_delivery::{LaneState, LaneView};
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::page::{OrderParams, PageParams};
use ringbolt_gate::{Answer, Caller, Permission, Problem, Query, Turn};
use ringbolt_model::{AppId, Attempt, Endpoint, EndpointId, Timestamp};
use ringbolt_store::{FailingEndpoint, Order};
use serde::Serialize;

use super::EndpointOut;
use crate::due::next_probe;
use crate::room::Here;

/// What waits is counted among the messages of this long, as in an endpoint's statistics.
const COUNTED: Duration = Duration::from_secs(28 * 24 * 3600);

/// An endpoint that fails.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailingEndpointOut {
    #[serde(flatten)]
    endpoint: EndpointOut,
    /// The application that owns it.
    #[schema(value_type = String)]
    app_id: AppId,
    /// What its lane is doing: `idle`, `active`, `waiting_for_rate`, `held` (it asked to wait), `breaker_open` or
    /// `disabled`.
    lane: &'static str,
    /// When the next try is due, if one is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    next_attempt: Option<Timestamp>,
    /// Deliveries that wait for it, of messages of the last 28 days.
    pending: i64,
    /// Its latest failure, unless that is past retention.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_failure: Option<LastFailureOut>,
}

/// How an attempt failed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct LastFailureOut {
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The word for what went wrong: `status`, `dns`, `refused`, `tls`, `timeout`, …
    failure: &'static str,
    /// The status of the answer; 0 if there was none.
    response_status_code: u16,
    /// More about what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
}

impl LastFailureOut {
    fn new(attempt: Attempt) -> Option<Self> {
        Some(Self {
            at: attempt.id.time(),
            failure: attempt.failure?.as_str(),
            response_status_code: attempt.status,
            detail: attempt.detail.map(String::from),
        })
    }
}

/// List the endpoints that fail, of all applications.
///
/// Those that have failed since their last success, and those that were disabled for it or for answering 410,
/// in the order in which they were created.
#[utoipa::path(
    get,
    path = "/api/v1/endpoint/failing",
    tag = "Endpoint",
    operation_id = "v1.endpoint.list-failing",
    params(PageParams, OrderParams),
    responses((status = 200, description = "A page of the list", body = Answer<FailingEndpointOut>), Problems)
)]
pub(super) async fn list_failing(
    State(room): Here,
    caller: Caller,
    query: Query,
) -> Result<Json<Answer<FailingEndpointOut>>, Problem> {
    // Metrics say how many fail; this says which.
    caller.must(Permission::Observe)?;
    let turn = Turn::<EndpointId>::asked(&query, Order::Ascending)?;
    let now = room.now();
    let found = room.store().failing_endpoints(turn.page(), now - COUNTED);
    let out = |failing: FailingEndpoint| {
        let FailingEndpoint {
            endpoint,
            pending,
            last_failure,
        } = failing;
        let lane = room.handle.lane(endpoint.id);
        let (lane, next_attempt) = standing(&endpoint, lane.as_ref(), now);
        FailingEndpointOut {
            endpoint: (&endpoint).into(),
            app_id: endpoint.app,
            lane,
            next_attempt,
            pending,
            last_failure: last_failure.and_then(LastFailureOut::new),
        }
    };
    Ok(Json(turn.answer(found.await?, |one| one.endpoint.id, out)))
}

/// What its lane is doing, and when it tries next.
fn standing(
    endpoint: &Endpoint,
    lane: Option<&LaneView>,
    now: Timestamp,
) -> (&'static str, Option<Timestamp>) {
    if endpoint.disabled.is_some() {
        return ("disabled", None);
    }
    let Some(lane) = lane else {
        return ("idle", None);
    };
    match lane.state {
        LaneState::Idle => ("idle", lane.next_due),
        LaneState::Active => ("active", lane.next_due),
        LaneState::WaitingForRate => ("waiting_for_rate", lane.next_due),
        LaneState::Held => ("held", lane.held_until),
        LaneState::Broken => ("breaker_open", Some(next_probe(lane.next_probe, now))),
        LaneState::Disabled => ("disabled", None),
    }
}
