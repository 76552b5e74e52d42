//! Reads the rest of a body when its request was answered without it.
//!
//! A server closes a connection on which it has answered a request without reading it, and a client that has
//! not noticed trips over that with its next one. So the rest is read, for a while, before the answer leaves.
//! What the answer says is decided without it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;

use crate::body::MOST;

/// How long what was answered already is still read.
const COURTESY: Duration = Duration::from_secs(2);

/// Reads the rest of a body, and keeps nothing of it. What is too large or too slow for that ends with
/// its connection, and whoever waits for leave to send has sent nothing.
pub async fn drain<B>(mut body: B, headers: &HeaderMap)
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    if headers.contains_key(EXPECT) {
        return;
    }
    let discard = async {
        let mut size = 0;
        while let Some(Ok(frame)) = body.frame().await {
            size += frame.data_ref().map_or(0, Bytes::len);
            if size > MOST {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(COURTESY, discard).await;
}

/// Drains what a request's answer left unread.
pub async fn read_rest(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
        return next.run(request).await;
    }
    let (back, mut unread) = oneshot::channel();
    let lend = |body| {
        Body::new(Lent {
            body,
            back: Some(back),
        })
    };
    let answer = next.run(request.map(lend)).await;
    if let Ok(body) = unread.try_recv() {
        drain(body, &HeaderMap::new()).await;
    }
    answer
}

/// A body that comes back when it is dropped before its end.
struct Lent {
    body: Body,
    back: Option<oneshot::Sender<Body>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let body = std::mem::take(&mut self.body);
        if let Some(back) = self.back.take()
            && !body.is_end_stream()
        {
            // If nobody is there any more, the client has gone.
            let _ = back.send(body);
        }
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use axum::Router;
    use axum::middleware::from_fn;
    use futures_util::StreamExt as _;
    use futures_util::stream;
    use http::StatusCode;
    use tower::ServiceExt as _;

    use super::*;

    /// Asks for `path` with a body of two pieces, the second of which may never come; says what was answered
    /// and how many pieces were read.
    async fn asked(path: &str, comes: bool) -> (StatusCode, usize) {
        let refuse = async || StatusCode::UNAUTHORIZED;
        let read = async |body: Bytes| StatusCode::from_u16(200 + body.len() as u16).unwrap();
        let router = Router::new()
            .route("/refuse", axum::routing::post(refuse))
            .route("/read", axum::routing::post(read))
            .layer(from_fn(read_rest));
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let pieces = stream::iter(["a", "b"]).filter(move |piece| {
            let ready = comes || *piece == "a";
            async move {
                if !ready {
                    std::future::pending::<()>().await;
                }
                true
            }
        });
        let pieces = pieces.map(move |piece| {
            count.fetch_add(1, Relaxed);
            Ok::<_, axum::Error>(piece)
        });
        let request = Request::post(path).body(Body::from_stream(pieces)).unwrap();
        let status = router.oneshot(request).await.unwrap().status();
        (status, taken.load(Relaxed))
    }

    #[tokio::test]
    async fn what_an_answer_left_unread_is_read() {
        assert_eq!(asked("/refuse", true).await, (StatusCode::UNAUTHORIZED, 2));
        assert_eq!(asked("/read", true).await, (StatusCode::ACCEPTED, 2));
    }

    #[tokio::test]
    async fn nobody_waits_long_for_what_is_not_wanted() {
        let status = asked("/refuse", false).await;
        assert_eq!(status, (StatusCode::UNAUTHORIZED, 1));
    }
}
