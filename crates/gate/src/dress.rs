//! What every answer wears: a request id, headers for security, CORS.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    RETRY_AFTER, USER_AGENT, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;

/// The header that names a request, in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over from a client.
const LONGEST_ID: usize = 128;

/// Gives each request a name.
#[derive(Debug)]
pub struct RequestIds {
    run: u32,
    count: AtomicU64,
}

impl RequestIds {
    /// Names that differ from those of the server's other runs.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        Ok(Self {
            run: getrandom::u32()?,
            count: AtomicU64::new(0),
        })
    }

    /// The id that the request came with, if it is fit to be logged, or a new one.
    #[must_use]
    pub fn name(&self, headers: &HeaderMap) -> HeaderValue {
        let fit = |id: &&HeaderValue| {
            (1..=LONGEST_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        if let Some(id) = headers.get(REQUEST_ID).filter(fit) {
            return id.clone();
        }
        let text = format!("{:08x}-{:x}", self.run, self.count.fetch_add(1, Relaxed));
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unnamed"))
    }
}

/// Dresses an answer: the request's id, and what keeps a browser from misusing it.
pub fn dress(headers: &mut HeaderMap, id: HeaderValue) {
    const POLICY: HeaderValue =
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
}

/// Names a request in the log and in its answer, and dresses the answer.
pub async fn dressed(State(ids): State<Arc<RequestIds>>, request: Request, next: Next) -> Response {
    let id = ids.name(request.headers());
    let name = id.to_str().unwrap_or_default();
    let (method, path) = (request.method(), request.uri().path());
    let span = tracing::info_span!("request", id = name, %method, path);
    let mut answer = next.run(request).instrument(span).await;
    dress(answer.headers_mut(), id);
    answer
}

/// What browsers on these origins may do: everything that a token allows. `None` if there are none.
#[must_use]
pub fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    let asked = [
        AUTHORIZATION,
        CONTENT_TYPE,
        USER_AGENT,
        REQUEST_ID,
        crate::idempotency::HEADER,
        HeaderName::from_static("svix-req-id"),
        HeaderName::from_static("svix-retry-count"),
    ];
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods(methods)
        .allow_headers(asked)
        .expose_headers([REQUEST_ID, RETRY_AFTER, crate::idempotency::REPLAYED])
        .max_age(Duration::from_secs(3600));
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_id_is_taken_over_and_another_is_replaced() {
        let ids = RequestIds::new().unwrap();
        let name = |value: &str| {
            let headers = HeaderMap::from_iter([(REQUEST_ID, value.parse().unwrap())]);
            ids.name(&headers)
        };
        assert_eq!(name("mine-1"), "mine-1");
        for unfit in ["", "with space", &"x".repeat(129)] {
            assert_ne!(name(unfit), unfit);
        }
        assert_ne!(ids.name(&HeaderMap::new()), ids.name(&HeaderMap::new()));
    }
}
