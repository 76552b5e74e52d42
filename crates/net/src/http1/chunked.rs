//! Takes a chunked body apart (RFC 9112 §7.1), without I/O.

use bytes::Bytes;

use crate::failure::Failure;
use crate::settings::Limits;

/// No size line is longer, extensions included.
const MAX_SIZE_LINE: usize = 256;

/// Where the decoder stands, and what it has kept.
pub(super) struct Chunked {
    state: State,
    body: Vec<u8>,
    max_body: usize,
    trailers_left: usize,
}

#[derive(Clone, Copy)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    Done,
}

/// What a step led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The body goes on.
    NeedsMore,
    /// The body is complete.
    Complete,
    /// The body goes on beyond the limit.
    Full,
}

impl Chunked {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            state: State::Size,
            body: Vec::new(),
            max_body: limits.max_body_bytes,
            trailers_left: limits.max_header_bytes,
        }
    }

    pub(super) fn into_body(self) -> Bytes {
        self.body.into()
    }

    /// Goes as far as the input allows; says how much of it is used up.
    pub(super) fn advance(&mut self, input: &[u8]) -> Result<(usize, Progress), Failure> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let step = match self.state {
                State::Size => self.size(rest)?,
                State::Data(left) => self.data(rest, left),
                State::DataEnd => self.data_end(rest)?,
                State::Trailers => self.trailers(rest)?,
                State::Done => return Ok((used, Progress::Complete)),
            };
            match step {
                Some(step) if self.body.len() > self.max_body => {
                    self.body.truncate(self.max_body);
                    return Ok((used + step, Progress::Full));
                }
                Some(step) => used += step,
                None => return Ok((used, Progress::NeedsMore)),
            }
        }
    }

    fn size(&mut self, rest: &[u8]) -> Result<Option<usize>, Failure> {
        match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((used, 0))) => {
                self.state = State::Trailers;
                Ok(Some(used))
            }
            Ok(httparse::Status::Complete((used, size))) => {
                self.state = State::Data(size);
                Ok(Some(used))
            }
            Ok(httparse::Status::Partial) if rest.len() <= MAX_SIZE_LINE => Ok(None),
            _ => Err(Failure::ProtocolError("invalid chunk size")),
        }
    }

    /// Keeps one byte more than the limit, by which it is known to be exceeded.
    fn data(&mut self, rest: &[u8], left: u64) -> Option<usize> {
        let step = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        if step == 0 {
            return None;
        }
        let room = self.max_body + 1 - self.body.len();
        self.body.extend_from_slice(&rest[..step.min(room)]);
        let left = left - step as u64;
        self.state = if left == 0 {
            State::DataEnd
        } else {
            State::Data(left)
        };
        Some(step)
    }

    fn data_end(&mut self, rest: &[u8]) -> Result<Option<usize>, Failure> {
        match rest {
            [b'\r', b'\n', ..] => {
                self.state = State::Size;
                Ok(Some(2))
            }
            [] | [b'\r'] => Ok(None),
            _ => Err(Failure::ProtocolError("a chunk is longer than its size")),
        }
    }

    /// Trailers are read to their end and dropped.
    fn trailers(&mut self, rest: &[u8]) -> Result<Option<usize>, Failure> {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            let fits = rest.len() <= self.trailers_left;
            return if fits {
                Ok(None)
            } else {
                Err(Failure::HeadersTooLarge)
            };
        };
        let line = end + 1;
        self.trailers_left = self
            .trailers_left
            .checked_sub(line)
            .ok_or(Failure::HeadersTooLarge)?;
        if matches!(&rest[..line], b"\r\n" | b"\n") {
            self.state = State::Done;
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_body_bytes: usize) -> Limits {
        Limits {
            max_body_bytes,
            max_header_bytes: 64,
            ..Limits::default()
        }
    }

    /// Feeds the input in pieces of `size` and gives the body, the end, and what was left over.
    fn decode(
        input: &[u8],
        size: usize,
        max_body: usize,
    ) -> Result<(Vec<u8>, Progress, usize), Failure> {
        let mut chunked = Chunked::new(&limits(max_body));
        let mut pending = Vec::new();
        let mut fed = 0;
        for piece in input.chunks(size) {
            fed += piece.len();
            pending.extend_from_slice(piece);
            let (used, progress) = chunked.advance(&pending)?;
            pending.drain(..used);
            if progress != Progress::NeedsMore {
                let left = pending.len() + input.len() - fed;
                return Ok((chunked.into_body().to_vec(), progress, left));
            }
        }
        Ok((
            chunked.into_body().to_vec(),
            Progress::NeedsMore,
            pending.len(),
        ))
    }

    const WIKI: &[u8] =
        b"4\r\nWiki\r\n6;x=\"y\"\r\npedia \r\nB\r\nin \r\nchunks\r\n0\r\nx-a: b\r\n\r\nmore";

    #[test]
    fn the_body_is_the_same_however_it_is_cut() {
        for size in 1..=WIKI.len() {
            let (body, progress, left) = decode(WIKI, size, 100).unwrap();
            assert_eq!(body, b"Wikipedia in \r\nchunks");
            assert_eq!(
                (progress, left),
                (Progress::Complete, 4),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn a_body_beyond_the_limit_is_cut_there_and_one_at_the_limit_is_whole() {
        for size in 1..=WIKI.len() {
            let (body, progress, _) = decode(WIKI, size, 20).unwrap();
            assert_eq!((body.len(), progress), (20, Progress::Full));
            let (body, progress, _) = decode(WIKI, size, 21).unwrap();
            assert_eq!((body.len(), progress), (21, Progress::Complete));
        }
    }

    #[test]
    fn what_is_not_chunks_is_an_error() {
        for (input, error) in [
            (&b"x\r\n"[..], Failure::ProtocolError("invalid chunk size")),
            (b"-1\r\n", Failure::ProtocolError("invalid chunk size")),
            (
                b"fffffffffffffffff\r\n",
                Failure::ProtocolError("invalid chunk size"),
            ),
            (
                b"1\r\nabc\r\n",
                Failure::ProtocolError("a chunk is longer than its size"),
            ),
        ] {
            assert_eq!(decode(input, input.len(), 100), Err(error));
        }
    }

    #[test]
    fn endless_extensions_and_trailers_are_cut_off() {
        let extension = [&b"1;"[..], &[b'a'; 1000]].concat();
        assert!(matches!(
            decode(&extension, 1, 100),
            Err(Failure::ProtocolError(_))
        ));
        let trailers = [&b"0\r\n"[..], &b"a: b\r\n".repeat(100)].concat();
        assert_eq!(decode(&trailers, 1, 100), Err(Failure::HeadersTooLarge));
        assert_eq!(
            decode(&[&b"0\r\n"[..], &[b'a'; 1000]].concat(), 7, 100),
            Err(Failure::HeadersTooLarge)
        );
    }

    proptest::proptest! {
        /// Whatever comes, it is read without panic, within the limit, and the same in any pieces.
        #[test]
        fn anything_is_read_the_same_however_it_is_cut(
            input in "([0-9a-fA-F]{1,3}|[ -~]{0,8}|;x=y|\r\n|\n){0,40}",
            size in 1_usize..9,
        ) {
            let input = input.as_bytes();
            let whole = decode(input, input.len().max(1), 20);
            if let Ok((body, progress, _)) = &whole {
                proptest::prop_assert!(body.len() <= 20 || *progress == Progress::NeedsMore);
                let (cut, ended, _) = decode(input, size, 20).expect("pieces are no worse than the whole");
                proptest::prop_assert_eq!((&cut, ended), (body, *progress));
            }
        }
    }
}
