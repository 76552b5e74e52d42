//! Reads a body whose end is told by its length, by chunks, or by the end of the connection.

use bytes::Bytes;
use tokio::io::AsyncReadExt;

use super::chunked::{Chunked, Progress};
use super::{Body, Connection};
use crate::failure::Failure;
use crate::settings::Limits;

/// What is asked of the socket at once while a body is read.
const READ_SIZE: usize = 16 << 10;

impl Connection {
    /// A body of known length; none is a body of length 0.
    pub(super) async fn read_length(
        &mut self,
        head_len: usize,
        length: u64,
        limits: &Limits,
    ) -> Result<Body, Failure> {
        let limit = limits.max_body_bytes;
        let kept = usize::try_from(length).map_or(limit, |length| length.min(limit));
        let truncated = length > kept as u64;
        let end = head_len + kept;
        while self.buffer.len() < end {
            self.fill((end - self.buffer.len()).min(READ_SIZE)).await?;
        }
        let clean = !truncated && self.buffer.len() == end;
        Ok(self.body(head_len, end, truncated, clean))
    }

    /// A body that lasts as long as the connection.
    pub(super) async fn read_until_close(
        &mut self,
        head_len: usize,
        limits: &Limits,
    ) -> Result<Body, Failure> {
        let limit = head_len + limits.max_body_bytes;
        while self.buffer.len() <= limit {
            self.buffer.reserve(READ_SIZE.min(limit + 1 - head_len));
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Ok(self.body(head_len, self.buffer.len(), false, false)),
                Ok(_) => {}
                Err(error) => return Err(Failure::from_io(&error)),
            }
        }
        Ok(self.body(head_len, limit, true, false))
    }

    /// Head and body are copied out together: they are kept together, and the buffer stays here.
    fn body(&self, head_len: usize, end: usize, truncated: bool, clean: bool) -> Body {
        let whole = Bytes::copy_from_slice(&self.buffer[..end]);
        let kept = if end == head_len {
            Bytes::new()
        } else {
            whole.slice(head_len..)
        };
        Body {
            head: whole.slice(..head_len),
            kept,
            truncated,
            clean,
        }
    }

    /// A body in chunks (RFC 9112 §7.1).
    pub(super) async fn read_chunked(
        &mut self,
        head_len: usize,
        limits: &Limits,
    ) -> Result<Body, Failure> {
        let head = Bytes::copy_from_slice(&self.buffer[..head_len]);
        self.buffer.drain(..head_len);
        let mut chunked = Chunked::new(limits);
        loop {
            let (used, progress) = chunked.advance(&self.buffer)?;
            self.buffer.drain(..used);
            if progress != Progress::NeedsMore {
                let truncated = progress == Progress::Full;
                let clean = !truncated && self.buffer.is_empty();
                return Ok(Body {
                    head,
                    kept: chunked.into_body(),
                    truncated,
                    clean,
                });
            }
            self.fill(READ_SIZE / 4).await?;
        }
    }
}
