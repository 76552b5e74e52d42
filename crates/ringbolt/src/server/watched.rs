//! A stream that notes when bytes move, has heads judged, and puts words to what hyper says without any.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::judge::Judge;
use super::own_words;

/// A stream and whom to tell.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    /// Where requests come in turn, as text.
    judge: Option<Judge>,
    /// What is said instead of what hyper says itself; after it nothing is.
    own: Option<Own>,
}

struct Own {
    words: Vec<u8>,
    said: usize,
}

impl<S> Watched<S> {
    /// For HTTP/1.1.
    pub(super) fn judging(stream: S, activity: &Arc<Activity>) -> Self {
        Self {
            judge: Some(Judge::default()),
            ..Self::only(stream, activity)
        }
    }

    /// For HTTP/2.
    pub(super) fn only(stream: S, activity: &Arc<Activity>) -> Self {
        Self {
            stream,
            activity: Arc::clone(activity),
            judge: None,
            own: None,
        }
    }

    /// The status that was answered instead of hyper's, to something that it could not read.
    pub(super) fn status_of_own_words(&self) -> Option<StatusCode> {
        own_words::status(&self.own.as_ref()?.words)
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// Whether these bytes, which hyper wants to write, are left out: it answers by itself what it cannot
    /// read, with a status and no word. Our own answers never come while everything has been written.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        let replaced = self.judge.is_some() && self.activity.is_at_rest();
        if replaced && self.own.is_none() {
            let words = own_words::instead_of(bytes);
            self.own = Some(Own { words, said: 0 });
        }
        replaced
    }

    fn note_read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.activity.read();
        if let Some(judge) = &mut self.judge {
            match judge.heads(bytes) {
                0 => {}
                plain => self.activity.judged_plain(plain),
            }
            if let Some(fault) = judge.fault() {
                self.activity.judged_faulty(fault);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        self.note_read(&into.filled()[before..]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    fn note(&self, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        if let Poll::Ready(Ok(bytes @ 1..)) = written {
            self.activity.wrote(bytes);
        }
        written
    }

    fn say_own(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(own) = &mut self.own else {
            return Poll::Ready(Ok(()));
        };
        while own.said < own.words.len() {
            let rest = &own.words[own.said..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => break,
                written => own.said += written,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        if self.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        if self.replaces(parts.first().map_or(&[], |first| &**first)) {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.activity.flushed();
        ready!(self.say_own(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.say_own(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
