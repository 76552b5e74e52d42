//! A line for each request that failed, but only so many a second.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, Response, StatusCode};
use ringbolt_delivery::LineLimit;
use ringbolt_gate::Caller;
use ringbolt_gate::answered::{Code, RouteAsked, is_failure};
use ringbolt_gate::dress::REQUEST_ID;
use tokio::time::Instant;

/// How many lines are written in a second.
const LINES: u32 = 50;

/// Writes them.
pub(crate) struct RequestLog(LineLimit);

impl RequestLog {
    /// A log without lines.
    pub(crate) const fn new() -> Self {
        Self(LineLimit::new(LINES))
    }

    /// A request was answered.
    pub(crate) fn answered<B>(&self, method: &Method, begun: Instant, answer: &Response<B>) {
        if !is_failure(answer.status()) {
            tracing::debug!(
                id = id(answer),
                %method,
                status = answer.status().as_u16(),
                duration = ?begun.elapsed(),
                "a request was answered",
            );
            return;
        }
        if self.has_line() {
            failed(method, begun.elapsed(), answer);
        }
    }

    /// What was no request, or came too late to be one, was answered at the door.
    pub(crate) fn refused(&self, status: StatusCode, peer: SocketAddr) {
        if self.has_line() {
            let status = status.as_u16();
            tracing::info!(%peer, status, "a request was refused at the door");
        }
    }

    /// Takes a line of this second, if there is one.
    fn has_line(&self) -> bool {
        let left_out = self.0.line();
        if let Some(left_out @ 1..) = left_out {
            tracing::warn!(left_out, "lines about requests that failed were left out");
        }
        left_out.is_some()
    }
}

fn id<B>(answer: &Response<B>) -> &str {
    let id = answer.headers().get(REQUEST_ID);
    id.and_then(|id| id.to_str().ok()).unwrap_or_default()
}

fn failed<B>(method: &Method, duration: Duration, answer: &Response<B>) {
    let (id, status) = (id(answer), answer.status().as_u16());
    let route = answer.extensions().get::<RouteAsked>();
    let route = route.map_or("none", |route| &*route.0);
    let code = answer.extensions().get::<Code>();
    let code = code.map_or("none", |code| code.0);
    let key = answer.extensions().get::<Caller>();
    let key = key.map_or_else(|| "none".to_owned(), Caller::who);
    if answer.status().is_server_error() {
        tracing::warn!(id, %method, route, status, code, ?duration, key, "a request failed");
    } else {
        tracing::info!(id, %method, route, status, code, ?duration, key, "a request was refused");
    }
}
