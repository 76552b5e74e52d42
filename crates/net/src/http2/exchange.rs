//! One exchange over HTTP/2.

use bytes::BytesMut;
use h2::{Reason, RecvStream};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, Uri, Version};
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
    let request = request(exchange, standing).map_err(Stumbled::finally)?;
    let mut sender = lease.sender().ready().await.map_err(unsent)?;
    let bodyless = exchange.body.is_empty();
    let writes = lease.writes();
    let (response, mut upload) = sender.send_request(request, bodyless).map_err(unsent)?;
    // The body is sent as the peer makes room for it, for as long as the upload is held. What
    // goes wrong with it is told by the response.
    let _told = bodyless || upload.send_data(exchange.body.clone(), true).is_ok();
    let response = response.await.map_err(|error| Stumbled {
        failure: failure(&error),
        repeatable: is_disowned(&error) || (error.is_io() && lease.writes() == writes),
    })?;
    *first_byte = Some(Instant::now());
    lease.answer();
    let received = receive(response, limits).await;
    // A server that says too much, or something broken, may send on whatever it is told. Others are
    // not made to share a connection with that.
    if received.as_ref().map_or(true, |reply| reply.truncated) {
        lease.give_up();
    }
    received.map_err(Stumbled::finally)
}

fn request(exchange: &Exchange<'_>, standing: &Standing) -> Result<Request<()>, Failure> {
    let invalid = || Failure::ProtocolError("the request cannot be sent over HTTP/2");
    let mut request = Request::new(());
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

async fn receive(response: Response<RecvStream>, limits: &Limits) -> Result<Reply, Failure> {
    let (head, mut incoming) = response.into_parts();
    if size(&head.headers) > limits.max_header_bytes {
        return Err(Failure::HeadersTooLarge);
    }
    let mut body = BytesMut::new();
    let mut truncated = false;
    // Leaving early drops the stream, which resets it and leaves the connection to the others.
    while !truncated && let Some(data) = incoming.data().await {
        let data = data.map_err(|error| failure(&error))?;
        let room = limits.max_body_bytes - body.len();
        truncated = data.len() > room;
        body.extend_from_slice(&data[..data.len().min(room)]);
        // Fails only when the stream has ended, and then nothing more is asked for.
        let _ended = incoming.flow_control().release_capacity(data.len());
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

/// Names a failure by its kind.
pub(super) fn failure(error: &h2::Error) -> Failure {
    if let Some(io) = error.get_io() {
        return Failure::from_io(io);
    }
    if error.is_remote() && (error.is_reset() || error.is_go_away()) {
        return Failure::Reset;
    }
    Failure::ProtocolError("HTTP/2")
}

/// The request was not handed to the connection, as that had ended.
fn unsent(error: h2::Error) -> Stumbled {
    Stumbled {
        failure: failure(&error),
        repeatable: error.is_io() || error.is_go_away(),
    }
}

/// Whether the peer itself says that it has not acted on the request and will not (RFC 9113 §8.7): it refused
/// the stream, or its GOAWAY names a last stream before this one. h2 ends streams by a GOAWAY of the peer's only when
/// they lie beyond that; the others go on, and end in an error of the connection if they are not answered.
fn is_disowned(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
}

#[cfg(test)]
mod tests;
