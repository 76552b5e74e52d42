//! Answers that are given below the level of requests: to what is no request, and to one that never came.

use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use ringbolt_gate::Problem;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// How long a client that is sent away may take to hear why.
const COURTESY: Duration = Duration::from_secs(1);

/// Tells a client that the head of its request did not come in time, and hangs up.
pub(super) async fn head_came_late<S: AsyncWrite + Unpin>(mut stream: S) {
    let detail = "the head of the request took too long to arrive";
    let words = written(&Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "timeout",
        detail,
    ));
    let said = async {
        stream.write_all(&words).await?;
        stream.shutdown().await
    };
    // Who does not listen is not told.
    let _ = timeout(COURTESY, said).await;
}

/// Tells a client that it speaks in plain to a port that speaks TLS, and hangs up.
pub(super) async fn plain_to_tls<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let detail = "this port speaks TLS: ask it with https://";
    let words = written(&Problem::bad_request("bad_request", detail));
    let said = async {
        stream.write_all(&words).await?;
        stream.shutdown().await?;
        // What is left unread when a connection closes can cost its client the answer.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = timeout(COURTESY, said).await;
}

/// What is said instead of what hyper answers to something that it cannot read: its status, which it
/// gives without a word. `start` is the start of its answer.
pub(super) fn instead_of(start: &[u8]) -> Vec<u8> {
    written(&match status(start) {
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) => head_too_large(),
        Some(StatusCode::URI_TOO_LONG) => Problem::new(
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            "the address of the request is too long",
        ),
        _ => Problem::bad_request("bad_request", "this is no HTTP request"),
    })
}

/// 431.
pub(super) fn head_too_large() -> Problem {
    Problem::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "head_too_large",
        "the head of the request is larger than 64 KiB or has more than 100 headers",
    )
}

/// The status of an answer, by its start.
pub(super) fn status(start: &[u8]) -> Option<StatusCode> {
    StatusCode::from_bytes(start.get(9..12)?).ok()
}

/// An answer as HTTP/1.1 writes it; the connection ends with it.
fn written(problem: &Problem) -> Vec<u8> {
    let mut answer = problem.render();
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, close);
    let (status, body) = (answer.status(), answer.body());
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in answer.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}
