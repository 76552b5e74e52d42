//! The body of an answer, which knows until when it is held in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use super::activity::Activity;
use super::unread::Share;

/// A body, and what it holds.
pub(super) struct Answer<B> {
    body: Inner<B>,
    share: Share,
}

enum Inner<B> {
    /// What the front answered.
    Theirs(B),
    /// What the door says itself.
    Ours(Bytes),
}

impl<B> Answer<B> {
    pub(super) fn of(body: B, share: Share) -> Self {
        Self {
            body: Inner::Theirs(body),
            share,
        }
    }

    /// A small one of the door itself, for which there is always room.
    pub(super) fn small(body: Bytes, activity: &Arc<Activity>) -> Self {
        Self {
            share: Share::new(activity, body.len()),
            body: Inner::Ours(body),
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Piece;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, B::Error>>> {
        let this = self.get_mut();
        let polled = match &mut this.body {
            Inner::Theirs(body) => Pin::new(body).poll_frame(cx),
            Inner::Ours(bytes) => Poll::Ready(all_of(bytes)),
        };
        let is_last = this.is_end_stream();
        let share = &mut this.share;
        polled.map_ok(|frame| {
            frame.map_data(|bytes| Piece {
                share: share.part(bytes.len(), is_last),
                bytes,
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Inner::Theirs(body) => body.is_end_stream(),
            Inner::Ours(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Inner::Theirs(body) => body.size_hint(),
            Inner::Ours(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

fn all_of<E>(bytes: &mut Bytes) -> Option<Result<Frame<Bytes>, E>> {
    let all = std::mem::take(bytes);
    (!all.is_empty()).then(|| Ok(Frame::data(all)))
}

/// Bytes that wait to be written.
pub(super) struct Piece {
    bytes: Bytes,
    #[expect(dead_code, reason = "it is given back when the piece is dropped")]
    share: Share,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
