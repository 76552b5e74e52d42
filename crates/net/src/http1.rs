//! One exchange on an HTTP/1.1 connection: write, read, and say whether it can be used again.

mod body;
mod chunked;
mod head;
mod request;

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::client::Exchange;
use crate::failure::Failure;
use crate::reply::{Reply, ReplyHeaders};
use crate::settings::Limits;
use crate::stream::Stream;
use head::Head;
pub(crate) use request::{Standing, announces_length};

/// What an idle connection may hold on to.
const IDLE_BUFFER: usize = 4 << 10;
/// What is asked of the socket at once while a head is read.
const READ_SIZE: usize = 1 << 10;

/// A connection and the buffer through which its exchanges go.
pub(crate) struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
    pub(crate) address: SocketAddr,
}

/// An exchange that brought a reply.
pub(crate) struct Finished {
    pub(crate) reply: Reply,
    /// Whether the connection is in a state in which another exchange can follow.
    pub(crate) reusable: bool,
}

/// An exchange that brought none.
pub(crate) struct Stumbled {
    pub(crate) failure: Failure,
    /// Whether the request may be made once more, if the connection had been idle.
    pub(crate) repeatable: bool,
}

impl Stumbled {
    /// The peer may have acted on the request, or would fail again.
    pub(crate) fn finally(failure: Failure) -> Self {
        Self {
            failure,
            repeatable: false,
        }
    }
}

impl Connection {
    pub(crate) fn new(stream: Stream, address: SocketAddr) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            address,
        }
    }

    pub(crate) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Gives back what a large exchange needed.
    pub(crate) fn shrink(&mut self) {
        if self.buffer.capacity() > IDLE_BUFFER {
            self.buffer = Vec::new();
        }
    }

    /// Makes one exchange; `first_byte` is set when the reply begins.
    pub(crate) async fn exchange(
        &mut self,
        exchange: &Exchange<'_>,
        standing: &Standing,
        limits: &Limits,
        first_byte: &mut Option<Instant>,
    ) -> Result<Finished, Stumbled> {
        let sent = request::send(&mut self.stream, &mut self.buffer, exchange, standing).await;
        let (head, head_len) = self.read_head(exchange, limits, first_byte).await?;
        let finished = self
            .read_body(head, head_len, limits)
            .await
            .map_err(Stumbled::finally)?;
        Ok(Finished {
            reusable: finished.reusable && sent.is_whole(),
            ..finished
        })
    }

    /// Reads the final response's head to the front of the buffer. A request that could not be
    /// written is no reason not to look: the peer may have answered before it closed.
    async fn read_head(
        &mut self,
        exchange: &Exchange<'_>,
        limits: &Limits,
        first_byte: &mut Option<Instant>,
    ) -> Result<(Head, usize), Stumbled> {
        let bodyless = exchange.method == http::Method::HEAD;
        let (mut searched, mut spent) = (0, 0);
        loop {
            if first_byte.is_none() && !self.buffer.is_empty() {
                *first_byte = Some(Instant::now());
            }
            if head::worth_parsing(&self.buffer, searched) {
                let parsed = head::parse(&self.buffer, bodyless).map_err(Stumbled::finally)?;
                if let Some((head, length)) = parsed {
                    spent += length;
                    if spent > limits.max_header_bytes {
                        return Err(Stumbled::finally(Failure::HeadersTooLarge));
                    }
                    if head.status >= 200 {
                        return Ok((head, length));
                    }
                    self.buffer.drain(..length);
                    searched = 0;
                    continue;
                }
            }
            searched = self.buffer.len();
            if spent + searched > limits.max_header_bytes {
                return Err(Stumbled::finally(Failure::HeadersTooLarge));
            }
            // A server may close an idle connection at any moment and cannot announce it (RFC 9112 §9.5), so
            // this is how a request ends that crossed such an end. A request that was taken and then dropped
            // ends likewise. RFC 9110 §9.2.2 leaves a repeat to clients that know it to be harmless: the
            // receiver knows the message by its id, and to wait for the next try would delay it by seconds.
            let repeatable = first_byte.is_none();
            self.fill(READ_SIZE).await.map_err(|failure| Stumbled {
                failure,
                repeatable,
            })?;
        }
    }

    /// Reads once into the buffer; the end of the stream is a failure here.
    async fn fill(&mut self, at_least: usize) -> Result<(), Failure> {
        self.buffer.reserve(at_least);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err(Failure::ClosedEarly),
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::from_io(&error)),
        }
    }

    async fn read_body(
        &mut self,
        head: Head,
        head_len: usize,
        limits: &Limits,
    ) -> Result<Finished, Failure> {
        let body = match head.framing {
            head::Framing::Chunked => self.read_chunked(head_len, limits).await?,
            head::Framing::Length(length) => self.read_length(head_len, length, limits).await?,
            head::Framing::UntilClose => self.read_until_close(head_len, limits).await?,
        };
        let reply = Reply {
            status: head.status,
            headers: ReplyHeaders::new(body.head, head.spans),
            body: body.kept,
            truncated: body.truncated,
        };
        Ok(Finished {
            reply,
            reusable: head.keep_alive && body.clean,
        })
    }
}

/// A body as it was read, with the head that stood before it.
struct Body {
    head: Bytes,
    kept: Bytes,
    truncated: bool,
    /// Whether it ended where it should and nothing followed.
    clean: bool,
}
