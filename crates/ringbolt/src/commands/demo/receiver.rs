//! The other side of the story: verifies what arrives, and fails once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use parking_lot::Mutex;
use ringbolt_model::Clock;
use ringbolt_signatures::headers::WEBHOOK_ID;
use ringbolt_signatures::{DEFAULT_TOLERANCE, SignedHeaders, Verifier};
use tokio::sync::mpsc::UnboundedSender;

use crate::server::{Front, Peer, RequestBody};

/// What arrived.
pub(super) struct Arrival {
    /// Of which message.
    pub(super) id: String,
    /// Whether the signature was right.
    pub(super) verified: Result<(), String>,
    /// What was answered.
    pub(super) status: StatusCode,
}

/// A receiver of webhooks.
pub(super) struct Receiver {
    verifier: Mutex<Option<Verifier>>,
    has_failed: AtomicBool,
    tell: UnboundedSender<Arrival>,
    clock: Arc<dyn Clock>,
}

impl Receiver {
    /// Tells of each arrival.
    pub(super) fn new(tell: UnboundedSender<Arrival>, clock: Arc<dyn Clock>) -> Self {
        Self {
            verifier: Mutex::default(),
            has_failed: AtomicBool::new(false),
            tell,
            clock,
        }
    }

    /// Trusts what is signed with this secret.
    pub(super) fn trust(&self, secret: &str) -> anyhow::Result<()> {
        let verifier = Verifier::parse([secret]).context("the secret cannot be read")?;
        *self.verifier.lock() = Some(verifier);
        Ok(())
    }

    fn verify(&self, headers: &HeaderMap, payload: &[u8]) -> Result<(), String> {
        let verifier = self.verifier.lock();
        let verifier = verifier.as_ref().ok_or("it came before the secret")?;
        let signed = SignedHeaders::find(|name| headers.get(name)?.to_str().ok());
        let now = self.clock.now().as_seconds();
        verifier
            .verify(signed, payload, now, DEFAULT_TOLERANCE)
            .map_err(|why| why.to_string())
    }
}

impl Front for Arc<Receiver> {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<RequestBody>, _: Peer) -> Response<Self::Body> {
        let (head, body) = request.into_parts();
        let verified = match body.collect().await {
            Ok(payload) => self.verify(&head.headers, &payload.to_bytes()),
            Err(why) => Err(why.to_string()),
        };
        let first = !self.has_failed.swap(true, Relaxed);
        let status = if first {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::NO_CONTENT
        };
        let id = head.headers.get(WEBHOOK_ID).and_then(|id| id.to_str().ok());
        let id = id.unwrap_or("(without an id)").to_owned();
        // Nobody listens any more once the story is over.
        let _ = self.tell.send(Arrival {
            id,
            verified,
            status,
        });
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = status;
        answer
    }
}
