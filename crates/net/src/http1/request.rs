//! Writes a request: one write of head and body where the body is not large.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::Exchange;
use crate::headers::{HeaderBlock, HeaderError};
use crate::stream::Stream;

/// Up to this size a body is copied behind the head; a larger one is written from where it lies.
const COPIED_BODY: usize = 16 << 10;
/// How much of a reply that comes too early is taken in at once.
const EARLY_READ: usize = 2 << 10;

/// The lines that are the same in every request of a client.
pub(crate) struct Standing {
    agent: Vec<u8>,
    pub(crate) user_agent: String,
}

const ACCEPT: &[u8] = b"accept: */*\r\naccept-encoding: identity\r\n";

impl Standing {
    pub(crate) fn new(user_agent: &str) -> Result<Self, HeaderError> {
        let mut agent = HeaderBlock::new();
        agent.push("user-agent", user_agent)?;
        Ok(Self {
            agent: agent.as_bytes().to_vec(),
            user_agent: user_agent.to_owned(),
        })
    }
}

/// How far the writing of a request got.
pub(super) enum Sent {
    /// All of it is on its way.
    Whole,
    /// The peer answered, or broke off, before it had everything.
    Partly,
}

impl Sent {
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }
}

/// Writes the request. On return the buffer holds what has come of the reply, mostly nothing.
pub(super) async fn send(
    stream: &mut Stream,
    buffer: &mut Vec<u8>,
    exchange: &Exchange<'_>,
    standing: &Standing,
) -> Sent {
    buffer.clear();
    write_head(buffer, exchange, standing);
    let apart = if exchange.body.len() <= COPIED_BODY {
        buffer.extend_from_slice(&exchange.body);
        &[]
    } else {
        &exchange.body[..]
    };
    let mut early = Vec::new();
    let sent = write_all(stream, [&buffer[..], apart], &mut early).await;
    buffer.clear();
    buffer.append(&mut early);
    sent
}

fn write_head(buffer: &mut Vec<u8>, exchange: &Exchange<'_>, standing: &Standing) {
    let target = exchange.target;
    for piece in [
        exchange.method.as_str().as_bytes(),
        b" ",
        target.path_and_query().as_bytes(),
        b" HTTP/1.1\r\nhost: ",
        target.authority().as_bytes(),
        b"\r\n",
        exchange.headers.as_bytes(),
        if exchange.headers.names_agent() {
            b""
        } else {
            &standing.agent[..]
        },
        ACCEPT,
    ] {
        buffer.extend_from_slice(piece);
    }
    if announces_length(exchange) {
        // Writing to a Vec cannot fail.
        let _ = write!(buffer, "content-length: {}\r\n", exchange.body.len());
    }
    buffer.extend_from_slice(b"\r\n");
}

/// Methods whose requests may have a body say so even when it is empty (RFC 9110 §8.6).
pub(crate) fn announces_length(exchange: &Exchange<'_>) -> bool {
    let may_have_body = [Method::POST, Method::PUT, Method::PATCH].contains(&exchange.method);
    may_have_body || !exchange.body.is_empty()
}

async fn write_all(stream: &mut Stream, pieces: [&[u8]; 2], early: &mut Vec<u8>) -> Sent {
    let mut written = 0;
    let written = poll_fn(|context| {
        loop {
            match poll_write(stream, context, pieces, written) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Sent::Whole),
                Poll::Ready(Ok(more)) => written += more,
                Poll::Ready(Err(_)) => return Poll::Ready(Sent::Partly),
                Poll::Pending => break,
            }
        }
        // The peer takes no more for now: perhaps because it has already made up its mind.
        ready!(poll_early(stream, context, early));
        Poll::Ready(Sent::Partly)
    });
    written.await
}

/// Writes some of what is left; 0 when nothing is left and all has gone out.
fn poll_write(
    stream: &mut Stream,
    context: &mut Context<'_>,
    [first, second]: [&[u8]; 2],
    written: usize,
) -> Poll<io::Result<usize>> {
    let first_left = first.get(written..).unwrap_or_default();
    let second_left = second
        .get(written.saturating_sub(first.len())..)
        .unwrap_or_default();
    let stream = Pin::new(stream);
    let more = match (first_left, second_left) {
        ([], []) => {
            ready!(stream.poll_flush(context))?;
            return Poll::Ready(Ok(0));
        }
        (left, []) | ([], left) => ready!(stream.poll_write(context, left))?,
        (head, body) => {
            let slices = [IoSlice::new(head), IoSlice::new(body)];
            ready!(stream.poll_write_vectored(context, &slices))?
        }
    };
    Poll::Ready(if more == 0 {
        Err(io::ErrorKind::WriteZero.into())
    } else {
        Ok(more)
    })
}

/// Ready once the peer has said something, or has closed its side.
fn poll_early(stream: &mut Stream, context: &mut Context<'_>, early: &mut Vec<u8>) -> Poll<()> {
    let mut space = [0; EARLY_READ];
    let mut space = ReadBuf::new(&mut space);
    let read = ready!(Pin::new(stream).poll_read(context, &mut space));
    if read.is_ok() {
        early.extend_from_slice(space.filled());
    }
    Poll::Ready(())
}
