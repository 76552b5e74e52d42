//! Judges the heads of HTTP/1.1 requests as they arrive: none may be read in two ways.
//!
//! Where a proxy in front and a server disagree about where a request ends, one client's request becomes
//! part of another's. hyper reads some heads generously, and tells nobody that it did: it takes a bare
//! line feed for the end of a line, and drops `Content-Length` beside `Transfer-Encoding`. So this follows
//! the bytes on their way to it, by a grammar that leaves no choice. What is no plain request is not
//! counted, and what is not counted is refused.

use ringbolt_gate::Problem;

use super::own_words;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A line ends without a carriage return.
    BareLineFeed,
    /// A line begins with white space, so it may belong to the one before.
    Folded,
    /// No `Host`, although HTTP/1.1 demands one.
    NoHost,
    /// More than one `Host`.
    TwoHosts,
    /// More than one `Content-Length`, or one that is no number.
    Length,
    /// `Content-Length` and `Transfer-Encoding`.
    LengthAndEncoding,
    /// A `Transfer-Encoding` other than `chunked`, or two of them.
    Encoding,
    /// What came before it did not say clearly where it ended.
    Unclear,
    /// A `Host` that is no host with or without a port (RFC 9112 §3.2).
    BadHost,
    /// More bytes than [`LONGEST_HEAD`].
    TooLong,
}

impl Fault {
    /// For the client.
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::TooLong => own_words::head_too_large(),
            _ => Problem::bad_request("bad_request", self.detail()),
        }
    }

    const fn detail(self) -> &'static str {
        match self {
            Self::BareLineFeed => "a line of the head does not end with CR and LF",
            Self::Folded => "a line of the head begins with white space",
            Self::NoHost => "there is no Host header",
            Self::TwoHosts => "there is more than one Host header",
            Self::Length => "Content-Length is no number, or there is more than one",
            Self::LengthAndEncoding => "there are both Content-Length and Transfer-Encoding",
            Self::Encoding => "the only Transfer-Encoding that is taken is `chunked`, once",
            Self::Unclear => "it is not clear where the request before this one ended",
            Self::BadHost => "the Host header is no host, or no host and port",
            Self::TooLong => "the head is too long",
        }
    }
}

/// The longest head of a request, in bytes. hyper's own limit is on what it reads before it has a whole
/// head, so that it takes a longer one when that comes in large pieces.
pub(super) const LONGEST_HEAD: usize = 64 << 10;

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The first line of a head; empty ones before it mean nothing.
    FirstLine,
    /// Another line of it.
    Line,
    /// So many bytes of a body.
    Body(u64),
    /// The line with the size of a chunk.
    ChunkSize,
    /// So many bytes of a chunk, its line's end included.
    Chunk(u64),
    /// The lines behind the last chunk.
    Trailer,
    /// Nobody can say, so no further head is plain.
    Unknown,
}

/// What the lines of a head have said so far.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    bytes: usize,
    demands_host: bool,
    has_host: bool,
    length: Option<u64>,
    chunked: bool,
}

/// Follows one connection.
#[derive(Debug)]
pub(super) struct Judge {
    next: Next,
    /// A line whose end has not come.
    begun: Vec<u8>,
    head: Head,
    fault: Option<Fault>,
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            next: Next::FirstLine,
            begun: Vec::new(),
            head: Head::default(),
            fault: None,
        }
    }
}

impl Judge {
    /// How many plain heads end within these bytes, the next ones of the connection.
    pub(super) fn heads(&mut self, mut bytes: &[u8]) -> u32 {
        let mut plain = 0;
        while !bytes.is_empty() {
            match self.next {
                Next::Unknown => break,
                Next::Body(left) => bytes = self.pass(left, bytes, Next::Body, Next::FirstLine),
                Next::Chunk(left) => bytes = self.pass(left, bytes, Next::Chunk, Next::ChunkSize),
                Next::FirstLine | Next::Line | Next::ChunkSize | Next::Trailer => {
                    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                        self.keep(bytes);
                        break;
                    };
                    let (line, rest) = bytes.split_at(end + 1);
                    plain += u32::from(self.whole_line(line));
                    bytes = rest;
                }
            }
        }
        plain
    }

    /// What is wrong with the head behind the plain ones.
    pub(super) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn pass<'a>(
        &mut self,
        left: u64,
        bytes: &'a [u8],
        more: fn(u64) -> Next,
        then: Next,
    ) -> &'a [u8] {
        let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let left = left - here as u64;
        self.next = if left > 0 { more(left) } else { then };
        &bytes[here..]
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.begun.len() + bytes.len() > LONGEST_HEAD {
            self.refuse(Fault::TooLong);
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    /// Takes the rest of a line. Says whether a head has ended with it and is plain.
    fn whole_line(&mut self, rest: &[u8]) -> bool {
        if self.begun.is_empty() {
            return self.line(rest);
        }
        let mut line = std::mem::take(&mut self.begun);
        line.extend_from_slice(rest);
        self.line(&line)
    }

    fn line(&mut self, line: &[u8]) -> bool {
        let Some(line) = line.strip_suffix(b"\r\n") else {
            self.refuse(Fault::BareLineFeed);
            return false;
        };
        match self.next {
            Next::FirstLine if line.is_empty() => {}
            Next::FirstLine => {
                self.head = Head {
                    bytes: line.len() + 2,
                    demands_host: !line.ends_with(b" HTTP/1.0"),
                    ..Head::default()
                };
                self.next = Next::Line;
            }
            Next::Line if line.is_empty() => return self.end_of_head(),
            Next::Line => {
                if let Err(fault) = self.head.take(line) {
                    self.refuse(fault);
                }
            }
            Next::ChunkSize => self.next = after_size(line),
            Next::Trailer if line.is_empty() => self.next = Next::FirstLine,
            Next::Trailer | Next::Body(_) | Next::Chunk(_) | Next::Unknown => {}
        }
        false
    }

    fn end_of_head(&mut self) -> bool {
        let head = self.head;
        if head.demands_host && !head.has_host {
            self.refuse(Fault::NoHost);
            return false;
        }
        self.next = match head.length {
            _ if head.chunked => Next::ChunkSize,
            None | Some(0) => Next::FirstLine,
            Some(length) => Next::Body(length),
        };
        true
    }

    fn refuse(&mut self, fault: Fault) {
        let in_head = matches!(self.next, Next::FirstLine | Next::Line);
        self.fault = in_head.then_some(fault);
        self.next = Next::Unknown;
    }
}

impl Head {
    /// Takes a line of the head. Only those that say where the request ends, or whom it is for, matter.
    fn take(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.bytes += line.len() + 2;
        // The empty line at the end is one more.
        if self.bytes + 2 > LONGEST_HEAD {
            return Err(Fault::TooLong);
        }
        match line.first() {
            Some(b' ' | b'\t') => Err(Fault::Folded),
            Some(b'h' | b'H') => match named(line, b"host:") {
                Some(value) => self.take_host(value),
                None => Ok(()),
            },
            Some(b'c' | b'C') => match named(line, b"content-length:") {
                Some(value) => self.take_length(value),
                None => Ok(()),
            },
            Some(b't' | b'T') => match named(line, b"transfer-encoding:") {
                Some(value) => self.take_encoding(value),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// No route and no address depends on it, so a request whose target is absolute is answered by that,
    /// whatever stands here (RFC 9112 §3.2.2).
    fn take_host(&mut self, value: &[u8]) -> Result<(), Fault> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(Fault::TwoHosts);
        }
        let fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte);
        if value.iter().all(fit) {
            Ok(())
        } else {
            Err(Fault::BadHost)
        }
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.chunked {
            return Err(Fault::LengthAndEncoding);
        }
        if self.length.is_some() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Fault::Length);
        }
        let number = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok());
        self.length = Some(number.ok_or(Fault::Length)?);
        Ok(())
    }

    fn take_encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.length.is_some() {
            return Err(Fault::LengthAndEncoding);
        }
        if self.chunked || !self.demands_host || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::Encoding);
        }
        self.chunked = true;
        Ok(())
    }
}

/// The value of a line if it has this name.
fn named<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// What follows the line with a chunk's size.
fn after_size(line: &[u8]) -> Next {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let plain = (1..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain);
    match text.map(|text| u64::from_str_radix(text, 16)) {
        Some(Ok(0)) => Next::Trailer,
        Some(Ok(size)) => Next::Chunk(size + 2),
        Some(Err(_)) | None => Next::Unknown,
    }
}

#[cfg(test)]
mod tests;
