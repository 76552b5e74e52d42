//! One exchange over HTTP/2.

use std::error::Error as _;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Lease;
use crate::client::Exchange;
use crate::failure::Failure;
use crate::http1::{Standing, Stumbled, announces_length};
use crate::reply::{Reply, ReplyHeaders};
use crate::settings::Limits;

/// Makes one exchange; `first_byte` is set when the reply begins.
pub(crate) async fn exchange(
    lease: &Lease,
    exchange: &Exchange<'_>,
    standing: &Standing,
    limits: &Limits,
    first_byte: &mut Option<Instant>,
) -> Result<Reply, Stumbled> {
    let touched = |failure| Stumbled {
        failure,
        untouched: false,
    };
    let request = request(exchange, standing).map_err(touched)?;
    let sent = lease.sender().try_send_request(request).await;
    let response = sent.map_err(|mut error| {
        let untouched = error.take_message().is_some() || is_of_connection(error.error());
        Stumbled {
            failure: failure(error.error()),
            untouched,
        }
    })?;
    *first_byte = Some(Instant::now());
    receive(response, limits).await.map_err(touched)
}

fn request(exchange: &Exchange<'_>, standing: &Standing) -> Result<Request<Full<Bytes>>, Failure> {
    let invalid = || Failure::ProtocolError("the request cannot be sent over HTTP/2");
    let mut request = Request::new(Full::new(exchange.body.clone()));
    *request.method_mut() = exchange.method.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::try_from(exchange.target.as_str()).map_err(|_| invalid())?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if !exchange.headers.names_agent() {
        let agent = HeaderValue::from_str(&standing.user_agent).map_err(|_| invalid())?;
        headers.insert(USER_AGENT, agent);
    }
    if announces_length(exchange) {
        headers.insert(CONTENT_LENGTH, exchange.body.len().into());
    }
    for (name, value) in exchange.headers.iter() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| invalid())?);
    }
    Ok(request)
}

async fn receive(response: Response<Incoming>, limits: &Limits) -> Result<Reply, Failure> {
    let (head, mut incoming) = response.into_parts();
    if size(&head.headers) > limits.max_header_bytes {
        return Err(Failure::HeadersTooLarge);
    }
    let mut body = BytesMut::new();
    let mut truncated = false;
    // Leaving early drops the stream, which resets it and leaves the connection to the others.
    while !truncated && let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| failure(&error))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = limits.max_body_bytes - body.len();
        truncated = data.len() > room;
        body.extend_from_slice(&data[..data.len().min(room)]);
    }
    Ok(Reply {
        status: head.status.as_u16(),
        headers: ReplyHeaders::from_map(&head.headers),
        body: body.freeze(),
        truncated,
    })
}

fn size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

/// Names a failure by the types in its chain of causes.
pub(super) fn failure(error: &hyper::Error) -> Failure {
    if let Some(io) = cause::<std::io::Error>(error) {
        return Failure::from_io(io);
    }
    match cause::<h2::Error>(error) {
        Some(error) if error.is_io() => Failure::Reset,
        Some(error) if error.is_remote() && (error.is_reset() || error.is_go_away()) => {
            Failure::Reset
        }
        Some(_) => Failure::ProtocolError("HTTP/2"),
        None => Failure::ClosedEarly,
    }
}

/// Whether it was the connection that ended and not this exchange, or the peer says that it has
/// not acted on the request (RFC 9113 §8.7).
fn is_of_connection(error: &hyper::Error) -> bool {
    cause::<h2::Error>(error).is_none_or(|error| {
        error.is_io() || error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM)
    })
}

fn cause<E: std::error::Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
