//! Health, and metrics.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use ringbolt_gate::{ClientAddress, Permission, Problem};
use ringbolt_store::Unwritable;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::room::{Here, Room};

/// The routes that are open to everybody.
pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(ping))
        .routes(routes!(metrics))
}

/// How the server is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct HealthOut {
    /// `ok` or `error`.
    status: &'static str,
    /// Whether the store can be written.
    store: PartOut,
    /// Whether messages are accepted and delivered.
    delivery: PartOut,
    /// What others that share the store let this node do.
    lease: LeaseOut,
    /// The background workers.
    workers: Vec<WorkerOut>,
    /// The store again, by the name that others look for.
    database: PartOut,
    /// The queue is in the store.
    queue: PartOut,
    /// The cache is in memory.
    cache: PartOut,
}

/// A node's right to act.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
struct LeaseOut {
    /// Whether it holds: while it does not, nothing is sent or accepted here. That of the only node that there can be always does.
    held: bool,
}

/// A background worker.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct WorkerOut {
    /// Its name.
    name: &'static str,
    /// What it does, or what it last did.
    state: String,
}

/// How a part is.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
struct PartOut {
    /// `ok`, `error`, `starting`, `paused` (nothing is sent, as was configured) or `stopping`.
    status: &'static str,
    /// Why the store cannot be written: `full`, `io`, `moved`, `corrupt`, `denied`, `busy` or `other`.
    /// There may be further words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl PartOut {
    const fn of(status: &'static str) -> Self {
        Self {
            status,
            reason: None,
        }
    }

    const fn unwritable(reason: Unwritable) -> Self {
        Self {
            status: "error",
            reason: Some(reason.word()),
        }
    }
}

/// The form in which metrics are written.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const OK: PartOut = PartOut::of("ok");
const FULL: PartOut = PartOut::unwritable(Unwritable::Full);
const STARTING: PartOut = PartOut::of("starting");
const PAUSED: PartOut = PartOut::of("paused");
const STOPPING: PartOut = PartOut::of("stopping");

/// Say how each part of the server is.
#[utoipa::path(
    get,
    path = "/api/v1/health",
    tag = "Health",
    operation_id = "v1.health.get",
    security(()),
    responses(
        (status = 200, description = "All is well", body = HealthOut),
        (status = 503, description = "A part is not well", body = HealthOut)
    )
)]
async fn health(State(room): Here) -> (StatusCode, Json<HealthOut>) {
    let status = room.handle.status();
    let store = status.store.reason.map_or(OK, PartOut::unwritable);
    let delivery = match (status.stopping, status.paused) {
        (true, _) => STOPPING,
        (false, true) => PAUSED,
        (false, false) => OK,
    };
    let well = status.store.writable && status.lease_held && !status.stopping;
    let out = HealthOut {
        status: if well { "ok" } else { "error" },
        store,
        delivery,
        lease: LeaseOut {
            held: status.lease_held,
        },
        workers: status
            .workers
            .into_iter()
            .map(|worker| WorkerOut {
                name: worker.name,
                state: worker.state,
            })
            .collect(),
        database: store,
        queue: store,
        cache: OK,
    };
    (
        if well {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        Json(out),
    )
}

/// How a server is that has no store yet, for want of space.
pub(crate) async fn without_store() -> (StatusCode, Json<HealthOut>) {
    let out = HealthOut {
        status: "error",
        store: FULL,
        delivery: STARTING,
        lease: LeaseOut { held: false },
        workers: Vec::new(),
        database: FULL,
        queue: FULL,
        cache: OK,
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(out))
}

/// Say that the server answers.
#[utoipa::path(
    get,
    path = "/api/v1/health/ping",
    tag = "Health",
    operation_id = "v1.health.ping",
    security(()),
    responses((status = 204, description = "It does"))
)]
pub(crate) async fn ping() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Get figures, as Prometheus reads them.
///
/// A token of an admin or a reader is needed, unless configured otherwise.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Health",
    operation_id = "metrics",
    responses((status = 200, description = "The figures", body = String, content_type = "application/openmetrics-text"))
)]
async fn metrics(
    State(room): Here,
    headers: HeaderMap,
    from: Option<axum::Extension<ClientAddress>>,
) -> Result<impl IntoResponse, Problem> {
    if !room.settings.metrics_open {
        let caller = room.auth.caller(&headers, from.map(|from| from.0)).await?;
        caller.must(Permission::Observe)?;
    }
    let text = room.figures.text() + &room.handle.metrics_text() + "# EOF\n";
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text))
}
