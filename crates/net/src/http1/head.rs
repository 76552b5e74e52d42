//! Reads a response's head and decides how its body is framed (RFC 9112 §6.3), without I/O.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Response, Status};

use crate::failure::Failure;
use crate::reply::{Span, Spans};

/// More header lines than this are too many.
const MAX_LINES: usize = 128;

/// A response's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) framing: Framing,
    /// Whether the peer lets the connection live, judged by the head alone.
    pub(super) keep_alive: bool,
    pub(super) spans: Spans,
}

/// By what the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// Whether parsing may lead further than the last time, when `searched` bytes were there: at the
/// first bytes, so that nonsense is noticed at once, and when the head's end has come. Otherwise
/// a peer that sends byte by byte would have us parse everything again for each.
pub(super) fn worth_parsing(buffer: &[u8], searched: usize) -> bool {
    if buffer.is_empty() {
        return false;
    }
    let fresh = &buffer[searched.saturating_sub(2)..];
    searched == 0
        || fresh
            .windows(2)
            .any(|pair| pair == b"\n\n" || pair == b"\n\r")
}

/// The head at the front of the buffer and its length in bytes, once it is complete.
pub(super) fn parse(buffer: &[u8], bodyless: bool) -> Result<Option<(Head, usize)>, Failure> {
    let mut lines = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_LINES];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, buffer, &mut lines)
        .map_err(from_parser)?;
    let Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let head = judge(&response, buffer, bodyless)?;
    Ok(Some((head, length)))
}

fn from_parser(error: httparse::Error) -> Failure {
    match error {
        httparse::Error::TooManyHeaders => Failure::HeadersTooLarge,
        httparse::Error::Version => Failure::ProtocolError("not an HTTP/1 response"),
        httparse::Error::Status => Failure::ProtocolError("invalid status line"),
        _ => Failure::ProtocolError("invalid header"),
    }
}

fn judge(response: &Response<'_, '_>, buffer: &[u8], bodyless: bool) -> Result<Head, Failure> {
    let status = response.code.unwrap_or_default();
    if status < 100 || status == 101 {
        return Err(Failure::ProtocolError("unexpected status"));
    }
    let said = Said::by(response)?;
    let modern = response.version == Some(1);
    if said.chunked && !modern {
        return Err(Failure::ProtocolError("Transfer-Encoding in HTTP/1.0"));
    }
    // A peer that announces a body where none may be might send one: never after this.
    let forbidden = bodyless || status < 200 || matches!(status, 204 | 304);
    let announced = said.chunked || said.length.is_some_and(|length| length > 0);
    let framing = match said.length {
        _ if forbidden => Framing::Length(0),
        _ if said.chunked => Framing::Chunked,
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    };
    Ok(Head {
        status,
        framing,
        keep_alive: modern && !said.close && !(forbidden && announced && !bodyless),
        spans: response
            .headers
            .iter()
            .map(|header| span(header, buffer))
            .collect(),
    })
}

/// What the headers say about the body and the connection.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    close: bool,
}

impl Said {
    fn by(response: &Response<'_, '_>) -> Result<Self, Failure> {
        let mut said = Self::default();
        for header in response.headers.iter() {
            // Most headers are told apart by their length alone.
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    said.take_length(header.value)?;
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    said.take_encoding(header.value)?;
                }
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    said.close |= has_close(header.value);
                }
                _ => {}
            }
        }
        if said.chunked && said.length.is_some() {
            return Err(Failure::ProtocolError(
                "both Content-Length and Transfer-Encoding",
            ));
        }
        Ok(said)
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Failure> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| digits);
        let length = text.and_then(|text| text.parse().ok());
        if length.is_none() || self.length.is_some() {
            return Err(Failure::ProtocolError("invalid Content-Length"));
        }
        self.length = length;
        Ok(())
    }

    fn take_encoding(&mut self, value: &[u8]) -> Result<(), Failure> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Failure::ProtocolError("unknown Transfer-Encoding"));
        }
        self.chunked = true;
        Ok(())
    }
}

fn has_close(value: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"))
}

fn span(header: &Header<'_>, buffer: &[u8]) -> Span {
    Span {
        name: range(header.name.as_bytes(), buffer),
        value: range(header.value, buffer),
    }
}

/// Where a piece of the buffer lies in it. An empty value may point anywhere.
fn range(piece: &[u8], buffer: &[u8]) -> (u32, u32) {
    let from = (piece.as_ptr() as usize).wrapping_sub(buffer.as_ptr() as usize);
    if piece.is_empty() || from + piece.len() > buffer.len() {
        return (0, 0);
    }
    (from as u32, (from + piece.len()) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, Failure> {
        parse(text.as_bytes(), false).map(|parsed| parsed.unwrap().0)
    }

    #[test]
    fn the_end_of_the_body_is_known_by_length_chunks_or_the_connection() {
        let length = head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").unwrap();
        assert_eq!(
            (length.framing, length.keep_alive),
            (Framing::Length(5), true)
        );
        let chunked = head("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n").unwrap();
        assert_eq!(
            (chunked.framing, chunked.keep_alive),
            (Framing::Chunked, true)
        );
        let close = head("HTTP/1.1 200\r\n\r\n").unwrap();
        assert_eq!(close.framing, Framing::UntilClose);
    }

    #[test]
    fn some_statuses_have_no_body_whatever_they_say() {
        for status in [100, 204, 304] {
            let empty = head(&format!("HTTP/1.1 {status} X\r\n\r\n")).unwrap();
            assert_eq!(
                (empty.framing, empty.keep_alive),
                (Framing::Length(0), true)
            );
            let liar = head(&format!("HTTP/1.1 {status} X\r\ncontent-length: 5\r\n\r\n")).unwrap();
            assert_eq!((liar.framing, liar.keep_alive), (Framing::Length(0), false));
        }
        let text = b"HTTP/1.1 200 X\r\ncontent-length: 5\r\n\r\n";
        let (to_head, _) = parse(text, true).unwrap().unwrap();
        assert_eq!(
            (to_head.framing, to_head.keep_alive),
            (Framing::Length(0), true)
        );
    }

    #[test]
    fn a_connection_lives_on_unless_the_peer_says_otherwise_or_is_old() {
        for dying in [
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        ] {
            assert!(!head(dying).unwrap().keep_alive, "{dying}");
        }
    }

    #[test]
    fn ambiguous_or_broken_heads_are_errors() {
        for bad in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 204 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 099 X\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        ] {
            assert!(matches!(head(bad), Err(Failure::ProtocolError(_))), "{bad}");
        }
    }

    #[test]
    fn too_many_lines_are_too_large() {
        let many = format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            "a: b\r\n".repeat(MAX_LINES + 1)
        );
        assert_eq!(head(&many).unwrap_err(), Failure::HeadersTooLarge);
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_found_when_it_is_complete() {
        let text = b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n";
        let mut searched = 0;
        for end in 1..text.len() {
            if worth_parsing(&text[..end], searched) {
                assert!(parse(&text[..end], false).unwrap().is_none());
            }
            searched = end;
        }
        assert!(worth_parsing(text, searched));
        assert!(parse(text, false).unwrap().is_some());
    }

    proptest::proptest! {
        /// Whatever comes is a head with spans inside it, an error, or not yet complete.
        #[test]
        fn any_bytes_are_judged_without_panic(
            line in "HTTP/1\\.[01] [0-9]{3}( [ -~]{0,9})?|[ -~]{0,20}",
            headers in proptest::collection::vec(
                "(content-length|transfer-encoding|connection|x-a)[ -~]?: ?(chunked|close|[0-9]{0,21}|[ -~é]{0,9})",
                0..6,
            ),
            bodyless: bool,
        ) {
            let text = format!("{line}\r\n{}\r\n\r\n", headers.join("\r\n"));
            if let Ok(Some((head, length))) = parse(text.as_bytes(), bodyless) {
                proptest::prop_assert!(length <= text.len());
                proptest::prop_assert!((100..1000).contains(&head.status) && head.status != 101);
                for span in &head.spans {
                    proptest::prop_assert!(span.name.1 as usize <= length && span.value.1 as usize <= length);
                }
            }
        }
    }
}
