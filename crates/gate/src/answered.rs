//! What an answer that is a failure carries within the server, so that the log can say whom and what it
//! concerns. Other answers carry nothing.

use std::borrow::Cow;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;

/// The route that was asked for, as the API's description has it.
#[derive(Debug, Clone)]
pub struct RouteAsked(pub Cow<'static, str>);

/// The word for programs that a failure has.
#[derive(Debug, Clone, Copy)]
pub struct Code(pub &'static str);

/// Whether an answer is one that the log speaks of.
#[must_use]
pub fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Notes the route of a failure.
pub async fn with_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut answer = next.run(request).await;
    if let Some(route) = route
        && is_failure(answer.status())
    {
        let route = route.as_str().to_owned();
        answer.extensions_mut().insert(RouteAsked(route.into()));
    }
    answer
}
