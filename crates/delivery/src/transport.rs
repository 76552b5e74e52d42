//! What a way out is: something that takes a delivery and says what came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ringbolt_engine::Verdict;
use ringbolt_model::{AttemptFailure, EndpointId, Message, Timestamp, Timings};

/// A way out. The engine does not know which one a delivery takes.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Tries once to deliver a message to an endpoint. It ends within its own time limit and never
    /// fails as a call: whatever goes wrong is an outcome.
    async fn attempt(&self, message: &Message, endpoint: EndpointId) -> Tried;

    /// The endpoint changed or is gone: what is remembered about it is out of date.
    fn forget(&self, endpoint: EndpointId);

    /// The same of every endpoint.
    fn forget_all(&self);

    /// Closes what has been idle too long. Called every few seconds.
    fn sweep(&self);
}

/// What came of a try.
#[derive(Debug)]
pub struct Tried {
    /// When it began, by the time of day.
    pub at: Timestamp,
    /// Where it was sent.
    pub url: Arc<str>,
    /// The address connected to.
    pub address: Option<SocketAddr>,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// `None` if it succeeded.
    pub failure: Option<AttemptFailure>,
    /// More about the failure, for operators.
    pub detail: Option<Box<str>>,
    /// The answer's headers, as `name: value` lines.
    pub headers: Bytes,
    /// The first part of the answer's body.
    pub body: Bytes,
    /// How long each part took.
    pub timings: Timings,
    /// What the engine is to make of it.
    pub verdict: Verdict,
    /// It was made once more on a new connection, as the kept one had ended.
    pub repeated: bool,
    /// The endpoint does not exist any more.
    pub missing: bool,
}

impl Tried {
    /// A try that ended before anything was sent.
    #[must_use]
    pub fn unsent(at: Timestamp, url: Arc<str>, failure: AttemptFailure, detail: String) -> Self {
        Self {
            at,
            url,
            address: None,
            status: 0,
            failure: Some(failure),
            detail: Some(detail.into()),
            headers: Bytes::new(),
            body: Bytes::new(),
            timings: Timings {
                total: Duration::ZERO,
                ..Timings::default()
            },
            verdict: Verdict::failure(Duration::ZERO),
            repeated: false,
            missing: false,
        }
    }
}
