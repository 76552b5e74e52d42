//! Identifiers: integers ordered by time inside, prefixed text of fixed length outside.
//!
//! The text is a prefix and 27 base62 characters, as the official SDKs' patterns expect. It encodes the
//! twenty bytes of a KSUID with milliseconds: seconds since 2014 (4 bytes), the milliseconds and a
//! counter (4 bytes), and twelve bytes that are derived from those eight and the kind of the id. The
//! first eight bytes are the integer by which rows are keyed, so text and integer have one order; the
//! derived part rejects ids of another kind and mistyped ones without asking the store.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::base62;
use crate::time::Timestamp;

/// The epoch of KSUIDs, in seconds since 1970.
const EPOCH_SECONDS: i64 = 1_400_000_000;
/// Ids of one node and millisecond differ from this bit on.
const COUNTER_SHIFT: u32 = 10;
/// How many nodes can make ids side by side.
const NODES: u16 = 1 << COUNTER_SHIFT;

/// The text is not an id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct IdError;

/// Makes ids that never go back, whatever the clock does.
#[derive(Debug)]
pub struct IdMaker {
    last: AtomicU64,
    node: u64,
}

impl IdMaker {
    /// A maker for node number `node` (below 1,024) that makes only ids above `last`, the largest one
    /// already in the store.
    #[must_use]
    pub fn new(node: u16, last: u64) -> Self {
        Self {
            last: AtomicU64::new(last),
            node: u64::from(node % NODES),
        }
    }

    /// The next id: from `now`, or just above the last one if the clock has not moved on.
    pub fn next<I: From<u64>>(&self, now: Timestamp) -> I {
        self.make(self.node, now)
    }

    /// The same of a node that may have got another number.
    pub fn next_of<I: From<u64>>(&self, node: u16, now: Timestamp) -> I {
        self.make(u64::from(node % NODES), now)
    }

    fn make<I: From<u64>>(&self, node: u64, now: Timestamp) -> I {
        let earliest = at_millisecond(now) | node;
        let step = |last: u64| earliest.max(((last >> COUNTER_SHIFT) + 1) << COUNTER_SHIFT | node);
        let update = |last| Some(step(last));
        match self.last.fetch_update(Relaxed, Relaxed, update) {
            Ok(previous) | Err(previous) => I::from(step(previous)),
        }
    }
}

/// The smallest id integer of the millisecond that holds `time`.
#[must_use]
pub fn at_millisecond(time: Timestamp) -> u64 {
    let millis = (time.as_micros() / 1000 - EPOCH_SECONDS * 1000).max(0) as u64;
    let (seconds, millis) = (millis / 1000, millis % 1000);
    (seconds << 32) | (millis << 22)
}

fn time_of(raw: u64) -> Timestamp {
    let (seconds, millis) = ((raw >> 32) as i64, ((raw >> 22) & 0x3ff) as i64);
    Timestamp::from_micros(((seconds + EPOCH_SECONDS) * 1000 + millis) * 1000)
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn to_bytes(raw: u64, kind: u64) -> [u8; 20] {
    let first = mix(raw ^ kind);
    let second = mix(first);
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&raw.to_be_bytes());
    bytes[8..16].copy_from_slice(&first.to_be_bytes());
    bytes[16..].copy_from_slice(&second.to_be_bytes()[..4]);
    bytes
}

fn parse(text: &str, prefix: &str, kind: u64) -> Result<u64, IdError> {
    let tail = text.strip_prefix(prefix).ok_or(IdError)?;
    let bytes = base62::decode(tail.as_bytes()).ok_or(IdError)?;
    let raw = u64::from_be_bytes(bytes[..8].try_into().map_err(|_| IdError)?);
    if to_bytes(raw, kind) == bytes {
        Ok(raw)
    } else {
        Err(IdError)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// What the text of every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The integer that keys rows; ordered by time.
            #[must_use]
            pub const fn raw(self) -> u64 {
                self.0
            }

            /// When it was made, to the millisecond.
            #[must_use]
            pub fn time(self) -> Timestamp {
                time_of(self.0)
            }
        }

        impl From<u64> for $name {
            fn from(raw: u64) -> Self {
                Self(raw)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = base62::encode(&to_bytes(self.0, $kind));
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix, $kind).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// Identifies an application.
    AppId, "app_", 1
);
id!(
    /// Identifies an endpoint.
    EndpointId, "ep_", 2
);
id!(
    /// Identifies a message; it is also the `webhook-id` that receivers see.
    MessageId, "msg_", 3
);
id!(
    /// Identifies an attempt.
    AttemptId, "atmpt_", 4
);
id!(
    /// Identifies an API key.
    KeyId, "key_", 5
);
id!(
    /// Identifies a background task.
    TaskId, "qtask_", 6
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_look_as_the_sdks_expect() {
        let id = MessageId::from(at_millisecond(Timestamp::from_micros(
            1_795_000_000_123_456,
        )));
        let text = id.to_string();
        assert_eq!(text.len(), 31);
        assert!(text.starts_with("msg_"));
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(id.time().as_micros(), 1_795_000_000_123_000);
    }

    #[test]
    fn an_id_of_another_kind_or_a_mistyped_one_is_none() {
        let text = AppId::from(7 << 32).to_string();
        assert_eq!(
            text.replace("app_", "msg_").parse::<MessageId>(),
            Err(IdError)
        );
        let mistyped = format!("{}0", &text[..text.len() - 1]);
        assert!(mistyped == text || mistyped.parse::<AppId>().is_err());
    }

    #[test]
    fn a_clock_that_jumps_back_makes_no_older_id() {
        let maker = IdMaker::new(3, 0);
        let late: MessageId = maker.next(Timestamp::from_micros(1_800_000_000_000_000));
        let early: MessageId = maker.next(Timestamp::from_micros(1_700_000_000_000_000));
        assert!(early > late);
    }

    #[test]
    fn a_node_that_gets_another_number_makes_larger_ids_all_the_same() {
        let maker = IdMaker::new(900, 0);
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let before: MessageId = maker.next(now);
        let after: MessageId = maker.next_of(3, now);
        assert!(after > before);
        assert_eq!(after.raw() & 1023, 3);
    }

    proptest! {
        #[test]
        fn text_and_integer_have_one_order(a: u64, b: u64) {
            let (x, y) = (MessageId::from(a), MessageId::from(b));
            prop_assert_eq!(x.to_string().cmp(&y.to_string()), a.cmp(&b));
            prop_assert_eq!(x.to_string().parse(), Ok(x));
        }

        #[test]
        fn ids_of_one_millisecond_all_differ(n in 1usize..6000, node in 0u16..1024) {
            let maker = IdMaker::new(node, 0);
            let now = Timestamp::from_micros(1_800_000_000_000_000);
            let ids: Vec<u64> = (0..n).map(|_| maker.next::<MessageId>(now).raw()).collect();
            prop_assert!(ids.windows(2).all(|w| w[0] < w[1]));
            prop_assert!(ids.iter().all(|id| id & 1023 == u64::from(node)));
        }
    }
}
