//! Which nodes share the store, and how each is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::{Answer, Caller, Permission, Problem};
use ringbolt_model::Timestamp;
use ringbolt_store::Node;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::room::{Here, Room};

/// The routes about nodes.
pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new().routes(routes!(list_nodes))
}

/// A node: one process that serves.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct NodeOut {
    /// Its number: each start has another.
    incarnation: u64,
    /// Its part of the ids that it makes.
    slot: u16,
    /// The name of its machine, or what it was told to call itself.
    name: String,
    /// Where it can be reached.
    address: String,
    /// Its version.
    version: String,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it last showed that it is alive.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
    /// For how long it may still act unless it is seen again, in milliseconds; 0 if that is over and others take
    /// over from it, null if nobody could.
    #[schema(required = true)]
    lease_left_ms: Option<u64>,
    /// Whether it is the one that answers.
    is_this: bool,
    /// Endpoints that it has something to do for.
    lanes: u64,
    /// Attempts in flight.
    in_flight: u64,
    /// Deliveries that wait with it.
    pending: u64,
}

impl From<Node> for NodeOut {
    fn from(node: Node) -> Self {
        let left = node.lease_left.map(|left| left.as_millis());
        Self {
            incarnation: node.incarnation,
            slot: node.slot,
            name: node.name,
            address: node.address,
            version: node.version,
            started_at: node.started_at,
            last_seen: node.seen_at,
            lease_left_ms: left.map(|left| u64::try_from(left).unwrap_or(u64::MAX)),
            is_this: node.is_this,
            lanes: node.load.lanes,
            in_flight: node.load.in_flight,
            pending: node.load.pending,
        }
    }
}

/// List the nodes.
///
/// All processes that serve from the same store, and those that have ended and left work behind, in the order in which
/// they started. `lanes`, `inFlight` and `pending` are what each said when it was last seen. The list is always whole.
#[utoipa::path(
    get,
    path = "/api/v1/nodes",
    tag = "Health",
    operation_id = "v1.node.list",
    responses((status = 200, description = "The whole list", body = Answer<NodeOut>), Problems)
)]
async fn list_nodes(State(room): Here, caller: Caller) -> Result<Json<Answer<NodeOut>>, Problem> {
    caller.must(Permission::Observe)?;
    let nodes = room.store().nodes().await?;
    Ok(Json(Answer {
        data: nodes.into_iter().map(NodeOut::from).collect(),
        iterator: None,
        prev_iterator: None,
        done: true,
    }))
}
