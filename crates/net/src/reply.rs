//! What came back: the reply, and the report of how the exchange went.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::failure::Failure;

/// One exchange, told whether it went well or not.
#[derive(Debug)]
pub struct Report {
    /// The address connected to, or tried last; the egress proxy's when one is in use.
    pub address: Option<SocketAddr>,
    /// How long each part took.
    pub timings: Timings,
    /// Whether the connection had served an earlier exchange.
    pub reused: bool,
    /// Whether the exchange was made once more on a new connection, as the kept one had ended.
    pub repeated: bool,
    /// The reply, or why there is none.
    pub result: Result<Reply, Failure>,
}

/// How long each part took. A part that did not take place, as on a reused connection, is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Looking up the name.
    pub dns: Option<Duration>,
    /// Connecting, through the egress proxy if there is one.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the first byte written to the first byte read.
    pub first_byte: Option<Duration>,
    /// All of it, to the end of the body or to the failure.
    pub total: Duration,
}

/// A complete reply, or the beginning of one that is larger than we care for.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code, 200 to 999; informational responses are skipped.
    pub status: u16,
    /// The headers as they came.
    pub headers: ReplyHeaders,
    /// The body's first bytes, up to the limit in the settings.
    pub body: Bytes,
    /// Whether the body went on beyond the limit. The rest was not read.
    pub truncated: bool,
}

/// A reply's headers, in order, held as one piece of memory.
#[derive(Debug, Clone, Default)]
pub struct ReplyHeaders {
    text: Bytes,
    spans: SmallVec<[Span; 8]>,
}

/// Where one header's name and value lie in the text, as half-open ranges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) name: (u32, u32),
    pub(crate) value: (u32, u32),
}

pub(crate) type Spans = SmallVec<[Span; 8]>;

impl ReplyHeaders {
    pub(crate) fn new(text: Bytes, spans: Spans) -> Self {
        Self { text, spans }
    }

    pub(crate) fn from_map(map: &http::HeaderMap) -> Self {
        let mut text = Vec::with_capacity(map.len() * 48);
        let mut spans = Spans::new();
        for (name, value) in map {
            let name = append(&mut text, name.as_str().as_bytes());
            let value = append(&mut text, value.as_bytes());
            spans.push(Span { name, value });
        }
        Self {
            text: text.into(),
            spans,
        }
    }

    /// The number of header lines.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Names, in the case in which they came, and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.spans.iter().map(|span| {
            let name = std::str::from_utf8(self.slice(span.name)).unwrap_or_default();
            (name, self.slice(span.value))
        })
    }

    /// The only value under this name, whatever its case; `None` if it came more than once.
    pub fn single(&self, name: &str) -> Option<&[u8]> {
        let mut values = self
            .iter()
            .filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }

    fn slice(&self, (from, to): (u32, u32)) -> &[u8] {
        &self.text[from as usize..to as usize]
    }
}

fn append(text: &mut Vec<u8>, piece: &[u8]) -> (u32, u32) {
    let from = text.len() as u32;
    text.extend_from_slice(piece);
    (from, text.len() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_in_any_case_and_only_if_it_is_alone() {
        let mut map = http::HeaderMap::new();
        map.append("retry-after", "120".parse().unwrap());
        map.append("x-twice", "1".parse().unwrap());
        map.append("x-twice", "2".parse().unwrap());
        let headers = ReplyHeaders::from_map(&map);
        assert_eq!(headers.single("Retry-After"), Some(&b"120"[..]));
        assert_eq!(headers.single("x-twice"), None);
        assert_eq!(headers.len(), 3);
    }
}
