//! A POST that is repeated under one idempotency key has one effect and one answer.
//!
//! This is for requests other than accepting a message: a message's key is written in the message's
//! own transaction. Here the answer is kept right after the effect, so a crash between the two can
//! make a repeated request do its work again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use ringbolt_store::{KeptAnswer, Store};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::{Caller, Now, Problem, body};

/// The header that carries the key.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Set on an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The longest key, in bytes.
pub const LONGEST: usize = 256;
/// How long a request waits for another one with its key.
const PATIENCE: Duration = Duration::from_secs(5);

/// The key that a request came with: what a string of a structured header can hold (RFC 9651 §3.3.3), which is
/// printable ASCII with spaces. The quotes around it that the draft of the standard asks for are left out.
///
/// # Errors
/// 422 if it is empty, too long or has other characters.
pub fn key_of(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    let unquoted = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let key = unquoted.unwrap_or(text);
    let printable = key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if key.is_empty() || key.len() > LONGEST || !printable {
        let what = format!("must have 1 to {LONGEST} printable ASCII characters");
        return Err(Problem::invalid_at("header", HEADER.as_str(), what));
    }
    Ok(Some(key))
}

/// 422: the key was used for another request.
#[must_use]
pub fn reused() -> Problem {
    let what = "was used for another request within the last 24 hours";
    Problem::invalid_at("header", HEADER.as_str(), what).coded("idempotency_key_reused")
}

/// The first sixteen bytes of the SHA-256 of these parts, each closed off from the next.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// Keeps the answers, and knows which keys are being worked on in this process.
pub struct Idempotency {
    store: Arc<dyn Store>,
    now: Now,
    working: Mutex<HashMap<[u8; 16], watch::Receiver<()>>>,
}

impl Idempotency {
    /// With answers in this store.
    pub fn new(store: Arc<dyn Store>, now: Now) -> Self {
        Self {
            store,
            now,
            working: Mutex::default(),
        }
    }

    /// Waits until nobody works on this key, then takes it.
    async fn take(self: &Arc<Self>, key: [u8; 16]) -> Result<Taken, Problem> {
        let begun = tokio::time::Instant::now();
        loop {
            let mut other = match self.try_take(key) {
                Ok(taken) => return Ok(taken),
                Err(other) => other,
            };
            let ended = tokio::time::timeout_at(begun + PATIENCE, other.changed()).await;
            if ended.is_err() {
                let detail = "a request with this idempotency key is still being worked on";
                return Err(Problem::conflict(detail).after(Duration::from_secs(1)));
            }
        }
    }

    fn try_take(self: &Arc<Self>, key: [u8; 16]) -> Result<Taken, watch::Receiver<()>> {
        let mut working = self.working.lock();
        if let Some(other) = working.get(&key) {
            return Err(other.clone());
        }
        let (ends, other) = watch::channel(());
        working.insert(key, other);
        Ok(Taken {
            all: Arc::clone(self),
            key,
            _ends: ends,
        })
    }

    /// The answer of before, if there was one.
    async fn answered(&self, key: [u8; 16], body: [u8; 16]) -> Result<Option<Response>, Problem> {
        let Some(kept) = self.store.kept_answer(key, (self.now)()).await? else {
            return Ok(None);
        };
        if kept.body_digest != body {
            return Err(reused());
        }
        let mut answer = Response::new(Body::from(kept.answer.clone()));
        *answer.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let headers = answer.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        if !kept.answer.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Some(answer))
    }

    async fn keep(&self, key: [u8; 16], body: [u8; 16], status: StatusCode, answer: &Bytes) {
        let kept = KeptAnswer {
            body_digest: body,
            status: status.as_u16(),
            answer: answer.clone(),
        };
        // The effect is there and cannot be taken back, so the answer is given all the same.
        if let Err(error) = self.store.keep_answer(key, kept, (self.now)()).await {
            tracing::warn!(%error, "an answer could not be kept under its idempotency key");
        }
    }
}

/// A key that is being worked on; others wait until this is dropped.
struct Taken {
    all: Arc<Idempotency>,
    key: [u8; 16],
    _ends: watch::Sender<()>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.all.working.lock().remove(&self.key);
    }
}

/// Gives the answer of before to a POST whose key was seen. Behind [`crate::auth::require_token`]:
/// keys of different tokens do not meet.
pub async fn once(
    State(idempotency): State<Arc<Idempotency>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    let answer = answer_once(&idempotency, request, next).await;
    answer.unwrap_or_else(Problem::into_response)
}

async fn answer_once(
    idempotency: &Arc<Idempotency>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let Some(key) = key_of(&parts.headers)? else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let caller = parts.extensions.get::<Caller>().copied();
    let caller = caller.ok_or_else(Problem::unauthenticated)?;
    let asker = caller.key.map_or(0, ringbolt_model::KeyId::raw);
    let asker = asker.to_be_bytes();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let key = digest(&[&asker, path.as_bytes(), key.as_bytes()]);
    let bytes = body::read(body, &parts.headers, body::MOST, &caller).await?;
    let body = digest(&[&bytes]);

    let _taken = idempotency.take(key).await?;
    if let Some(answer) = idempotency.answered(key, body).await? {
        return Ok(answer);
    }
    let answer = next
        .run(Request::from_parts(parts, Body::from(bytes)))
        .await;
    if !answer.status().is_success() {
        return Ok(answer);
    }
    let (head, body_of_answer) = answer.into_parts();
    let bytes = body_of_answer
        .collect()
        .await
        .map_err(Problem::internal)?
        .to_bytes();
    idempotency.keep(key, body, head.status, &bytes).await;
    Ok(Response::from_parts(head, Body::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str) -> Result<Option<String>, Problem> {
        let headers = HeaderMap::from_iter([(HEADER, value.parse().unwrap())]);
        key_of(&headers).map(|key| key.map(str::to_owned))
    }

    #[test]
    fn quotes_around_a_key_are_no_part_of_it() {
        assert_eq!(key("\"abc\"").unwrap(), Some("abc".to_owned()));
        assert_eq!(key("abc").unwrap(), Some("abc".to_owned()));
        assert_eq!(key_of(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for value in ["", "\"\"", &"k".repeat(257)] {
            assert_eq!(key(value).unwrap_err().status(), 422, "{value}");
        }
        assert!(key("a\tb").is_err());
        let headers = [(
            HEADER,
            HeaderValue::from_bytes("schlüssel".as_bytes()).unwrap(),
        )];
        assert!(key_of(&HeaderMap::from_iter(headers)).is_err());
        assert!(key(&"k".repeat(256)).is_ok());
    }

    #[test]
    fn a_space_within_a_key_is_part_of_it() {
        assert_eq!(key("order 7").unwrap(), Some("order 7".to_owned()));
        assert_eq!(key("\" order 7\"").unwrap(), Some(" order 7".to_owned()));
        assert_eq!(key("  order 7 ").unwrap(), Some("order 7".to_owned()));
    }

    #[test]
    fn parts_of_a_digest_do_not_run_together() {
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
        assert_eq!(digest(&[b"ab", b"c"]), digest(&[b"ab", b"c"]));
    }
}
