//! All routes, with what stands before each.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use ringbolt_gate::answered::with_route;
use ringbolt_gate::auth::require_token;
use ringbolt_gate::dress::{cors, dressed};
use ringbolt_gate::idempotency::{Idempotency, once};
use ringbolt_gate::problem::Problem;
use ringbolt_gate::rest::read_rest;
use ringbolt_gate::tidy::to_its_end;
use tokio_util::task::TaskTracker;
use tower::Layer as _;
use tower::util::MapRequestLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::figures::counted;
use crate::permitted::permitted;
use crate::room::Room;
use crate::slash::without_last_slash;
use crate::turns::{Turns, in_turn};
use crate::{
    application, attempt, docs, endpoint, event_type, health, hot, key, message, node, portal,
};

/// Routes that ask for a token before anything else.
fn guarded() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .merge(application::routes())
        .merge(endpoint::routes())
        .merge(message::routes())
        .merge(attempt::routes())
        .merge(event_type::routes())
        .merge(portal::routes())
        .merge(key::routes())
        .merge(node::routes())
}

/// Routes that ask for a token themselves, or for none.
fn others() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .merge(hot::routes())
        .merge(health::routes())
}

/// The description of all routes.
pub(crate) fn description() -> OpenApi {
    OpenApiRouter::with_openapi(docs::base())
        .merge(guarded())
        .merge(others())
        .into_openapi()
}

/// All routes of the API.
pub(crate) fn router(room: &Arc<Room>, changes: &TaskTracker) -> Router {
    let clock = room.handle.clone();
    let now = Arc::new(move || clock.now());
    let idempotency = Arc::new(Idempotency::new(room.store().clone(), now));
    // The last one is the first that a request meets.
    let guarded = guarded()
        .route_layer(from_fn_with_state(Arc::<Turns>::default(), in_turn))
        .route_layer(from_fn_with_state(idempotency, once))
        .route_layer(from_fn_with_state(changes.clone(), to_its_end))
        .route_layer(from_fn(permitted))
        .route_layer(from_fn_with_state(room.auth.clone(), require_token));
    let (api, description) = OpenApiRouter::with_openapi(docs::base())
        .merge(guarded)
        .merge(others())
        .split_for_parts();
    let api = api
        .route_layer(from_fn(with_route))
        .fallback(|| async { Problem::no_such_path() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .with_state(room.clone());
    let api = MapRequestLayer::new(without_last_slash).layer(api);

    let mut router = docs::router(description).fallback_service(api);
    // Origins were checked when the room was made.
    if let Some(cors) = cors(&room.settings.origins().unwrap_or_default()) {
        router = router.layer(cors);
    }
    router
        .layer(from_fn(read_rest))
        .layer(from_fn_with_state(room.ids.clone(), dressed))
        .layer(from_fn_with_state(room.clone(), counted))
}
