//! The body of a request, with a limit on how long it may take to arrive.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use ringbolt_gate::body::TooSlow;
use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// A body as it arrives.
pub(crate) struct RequestBody {
    incoming: Incoming,
    limit: Duration,
    /// Set when the body first keeps us waiting, which most never do.
    deadline: Option<Pin<Box<Sleep>>>,
    activity: Arc<Activity>,
    /// Whether the connection knows that this is waited for.
    awaited: bool,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, limit: Duration, activity: &Arc<Activity>) -> Self {
        Self {
            incoming,
            limit,
            deadline: None,
            activity: Arc::clone(activity),
            awaited: false,
        }
    }

    fn set_awaited(&mut self, awaited: bool) {
        match (std::mem::replace(&mut self.awaited, awaited), awaited) {
            (false, true) => self.activity.body_awaited(),
            (true, false) => self.activity.body_went_on(),
            _ => {}
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.set_awaited(false);
    }
}

/// Why a body ended early.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.set_awaited(false);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        let over = deadline.as_mut().poll(cx);
        self.set_awaited(over.is_pending());
        ready!(over);
        Poll::Ready(Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
