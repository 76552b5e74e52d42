//! How much messages are for the writer.

use std::ops::{Add, AddAssign, Sub, SubAssign};

use crate::Accept;

/// So many bytes are as much work as a row.
const BYTES_OF_A_ROW: usize = 2 << 10;

/// How much some messages are for the writer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    /// Theirs, and of their deliveries.
    pub(crate) rows: usize,
    /// Of payloads and lists of targets.
    pub(crate) bytes: usize,
}

impl Load {
    /// Of one message.
    pub(crate) fn of(accept: &Accept) -> Self {
        let payload = accept.message.payload.as_ref().map_or(0, bytes::Bytes::len);
        let targets = accept.fresh.len() + accept.stored.len();
        Self {
            messages: 1,
            rows: 1 + accept.stored.len(),
            bytes: payload + targets * size_of::<u64>(),
        }
    }

    /// As a number of rows, at least 1 for a message.
    pub(crate) fn work(self) -> u64 {
        (self.rows + self.bytes / BYTES_OF_A_ROW) as u64
    }

    pub(crate) fn fits(self, most: Self) -> bool {
        self.messages <= most.messages && self.rows <= most.rows && self.bytes <= most.bytes
    }

    /// Whether there is any space up to `most`.
    pub(crate) fn is_below(self, most: Self) -> bool {
        self.messages < most.messages && self.rows < most.rows && self.bytes < most.bytes
    }

    pub(crate) fn three_quarters(self) -> Self {
        let part = |number: usize| number - number.div_ceil(4);
        Self {
            messages: part(self.messages),
            rows: part(self.rows),
            bytes: part(self.bytes),
        }
    }
}

impl Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            rows: self.rows + other.rows,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sub for Load {
    type Output = Self;

    /// What is left; never less than nothing.
    fn sub(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(other.messages),
            rows: self.rows.saturating_sub(other.rows),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Load {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}
