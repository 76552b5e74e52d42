//! The HTTP face of errors.

mod kind;
mod of_store;

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

pub use kind::Kind;

/// An error as a client reads it: `{code, detail}`, or the validation form
/// `{code, detail: [{loc, msg, type}]}` with 422.
///
/// It never carries what a client must not see: what went wrong inside is logged where it is turned
/// into a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    faults: Vec<Fault>,
    retry_after: Option<u32>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ValidationError)]
pub struct Fault {
    /// Where: `body`, `query` or `header`, then the way to the field.
    pub loc: Vec<String>,
    /// What is wrong, for people.
    pub msg: String,
    /// `value_error`, `value_error.jsondecode` if it is no JSON, or a word of its own.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// How many things that are wrong are named in one answer.
const MOST_FAULTS: usize = 50;
/// Something is wrong with a value.
pub const VALUE: &str = "value_error";
/// The body is no JSON.
pub const NO_JSON: &str = "value_error.jsondecode";

/// The longest name that is repeated in an answer, in characters.
const LONGEST_NAME: usize = 256;

impl Problem {
    /// An error with a status, a word for programs and a sentence for people.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            faults: Vec::new(),
            retry_after: None,
        }
    }

    /// 400 with a word of its own.
    pub fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: no token, or none that works.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let detail = "a valid token is needed, sent as `Authorization: Bearer …`";
        Self::new(StatusCode::UNAUTHORIZED, "authentication_failed", detail)
    }

    /// 403: the token is valid but does not allow this; `detail` says what is needed.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "permission_denied", detail)
    }

    /// 404: nothing of this kind has this id or name. Whoever may not know that there is one reads the same.
    #[must_use]
    pub fn missing(kind: Kind, named: &str) -> Self {
        // Nothing that exists is called longer than this.
        let named: String = named.chars().take(LONGEST_NAME).collect();
        let detail = format!("there is no {} `{named}`{}", kind.noun(), kind.place());
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 404: no route has this path.
    #[must_use]
    pub fn no_such_path() -> Self {
        let detail = "there is no such path; /docs shows those that there are";
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let detail =
            "this path does not know that method; the header `allow` has those that it knows";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// 409.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 413, naming the limit in bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("the body may have at most {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
    }

    /// 422 with everything that is wrong, up to a bound: an answer must not be larger than its request.
    #[must_use]
    pub fn invalid(mut faults: Vec<Fault>) -> Self {
        let more = faults.len().saturating_sub(MOST_FAULTS);
        if more > 0 {
            faults.truncate(MOST_FAULTS);
            faults.push(Fault {
                loc: vec!["body".to_owned()],
                msg: format!("{more} more things are wrong"),
                kind: VALUE,
            });
        }
        Self {
            faults,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation", "")
        }
    }

    /// This, and what else is wrong with the same request: faults are told together, and before any of them
    /// what cannot be told with others.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Self {
        match (self.faults.is_empty(), other.faults.is_empty()) {
            (false, false) => self.faults.append(&mut other.faults),
            (false, true) => return other,
            (true, _) => {}
        }
        self
    }

    /// The same, with a word of its own for what is wrong.
    #[must_use]
    pub fn typed(mut self, kind: &'static str) -> Self {
        for fault in &mut self.faults {
            fault.kind = kind;
        }
        self
    }

    /// 422 with one thing that is wrong; `place` is `body`, `query` or `header`.
    pub fn invalid_at(place: &str, field: &str, what: impl Display) -> Self {
        let loc = vec![place.to_owned(), field.to_owned()];
        Self::invalid(vec![Fault {
            loc,
            msg: what.to_string(),
            kind: VALUE,
        }])
    }

    /// 429: too much at once.
    pub fn too_many(detail: impl Into<Cow<'static, str>>, wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).after(wait)
    }

    /// 500. What happened is logged and not told.
    pub fn internal(what: impl Display) -> Self {
        tracing::error!(error = %what, "a request failed inside");
        let detail = "something failed inside the server; its log says what";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", detail)
    }

    /// 503: it will work later.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        problem.after(Duration::from_secs(1))
    }

    /// The same, to be tried again after `wait`.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.retry_after = Some(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX));
        self
    }

    /// The same with another word.
    #[must_use]
    pub fn coded(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// The same with another sentence.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong with the request, if it is a 422.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The answer that says it.
    #[must_use]
    pub fn render(&self) -> http::Response<Bytes> {
        let body = if self.faults.is_empty() {
            json!({ "code": self.code, "detail": self.detail })
        } else {
            json!({ "code": self.code, "detail": self.faults })
        };
        let mut answer = http::Response::new(Bytes::from(body.to_string()));
        *answer.status_mut() = self.status;
        answer
            .extensions_mut()
            .insert(crate::answered::Code(self.code));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                http::header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer"),
            );
        }
        answer
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.render().map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use ringbolt_store::StoreError;

    use super::*;

    pub(super) fn body(problem: &Problem) -> serde_json::Value {
        serde_json::from_slice(problem.render().body()).unwrap()
    }

    #[test]
    fn the_normal_form_is_a_code_and_a_detail() {
        let problem = Problem::from(StoreError::Conflict("uid"));
        assert_eq!(problem.status(), 409);
        assert_eq!(
            body(&problem),
            json!({"code": "conflict", "detail": "another one with this uid exists"}),
        );
    }

    #[test]
    fn a_422_lists_what_is_wrong() {
        let problem = Problem::invalid_at("body", "url", "is no URL");
        assert_eq!(problem.status(), 422);
        let fault = json!({"loc": ["body", "url"], "msg": "is no URL", "type": "value_error"});
        assert_eq!(body(&problem)["detail"], json!([fault]));
    }

    #[test]
    fn a_422_does_not_grow_with_what_is_wrong() {
        let mut faults = crate::Faults::default();
        for number in 0..100_000 {
            faults.add("eventTypes", number);
        }
        let detail = body(&faults.into_problem())["detail"].clone();
        assert_eq!(detail.as_array().unwrap().len(), MOST_FAULTS + 1);
        assert_eq!(detail[0]["msg"], "0");
        assert_eq!(detail[MOST_FAULTS]["msg"], "99950 more things are wrong");
    }
}
