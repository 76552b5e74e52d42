//! A change, once begun, is finished although the client has gone.
//!
//! A server drops the work on a request when its connection closes. A change is two steps — the store,
//! then telling the lanes — and must not end between them.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use tokio_util::task::TaskTracker;

use crate::Problem;

/// Lets requests other than reads run to their end, whether or not anybody waits for the answer. The
/// tracker lets a shutdown wait for them.
pub async fn to_its_end(
    State(tracker): State<TaskTracker>,
    request: Request,
    next: Next,
) -> Response {
    if matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    ) {
        return next.run(request).await;
    }
    match tracker.spawn(next.run(request)).await {
        Ok(answer) => answer,
        Err(error) => Problem::internal(error).into_response(),
    }
}
