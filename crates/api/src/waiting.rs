//! What is answered while there is no space to open the store: that it is to be tried again.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use ringbolt_gate::Problem;
use ringbolt_gate::dress::{RequestIds, dressed};

use crate::{StartError, health};

/// How long a client is asked to wait.
const WAIT: Duration = Duration::from_secs(5);

/// Every route of a server that waits for its store. Nobody is asked for a token: whose it is stands in
/// the store, and all are told the same.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn waiting() -> Result<Router, StartError> {
    let ids = Arc::new(RequestIds::new()?);
    let router = Router::new()
        .route("/api/v1/health", get(health::without_store))
        .route("/api/v1/health/ping", get(health::ping))
        .fallback(full)
        .method_not_allowed_fallback(full)
        .layer(from_fn_with_state(ids, dressed));
    Ok(router)
}

async fn full() -> Problem {
    Problem::unavailable("the server's disk is full; it starts when there is space").after(WAIT)
}
