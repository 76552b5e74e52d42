//! The bytes that are signed, in pieces, so that the payload is never copied.

/// Standard Webhooks 1.0.0: the id, the timestamp and the payload, with a full stop between.
pub(crate) struct Content<'a>([&'a [u8]; 5]);

impl<'a> Content<'a> {
    pub(crate) fn new(id: &'a str, timestamp: &'a str, payload: &'a [u8]) -> Self {
        Self([id.as_bytes(), b".", timestamp.as_bytes(), b".", payload])
    }

    pub(crate) fn pieces(&self) -> &[&'a [u8]] {
        &self.0
    }
}
