//! What an endpoint wants, held in few bytes: a name of any length is a fingerprint of sixteen.
//!
//! A fingerprint is made under keys that nobody outside of this process knows, and that differ from one set of
//! routes to the next, so that names which have the same one cannot be looked for. By chance that does not
//! happen: there are 2^128.

use std::hash::{BuildHasher as _, RandomState};

use ringbolt_model::{Channel, EventTypeName, Subscription};

/// Makes fingerprints; those of one are comparable.
#[derive(Clone, Default)]
pub(super) struct Fingerprints([RandomState; 2]);

impl Fingerprints {
    fn of(&self, name: &str) -> u128 {
        let [high, low] = self
            .0
            .each_ref()
            .map(|keys| u128::from(keys.hash_one(name)));
        high << 64 | low
    }

    fn sorted<'a>(&self, names: impl Iterator<Item = &'a str>) -> Box<[u128]> {
        let mut all: Box<[u128]> = names.map(|name| self.of(name)).collect();
        all.sort_unstable();
        all
    }

    /// What a subscription wants.
    pub(super) fn wanted(&self, subscription: &Subscription) -> Wanted {
        let (types, channels) = (&subscription.event_types, &subscription.channels);
        Wanted {
            types: self.sorted(types.iter().map(EventTypeName::as_str)),
            channels: self.sorted(channels.iter().map(Channel::as_str)),
        }
    }

    /// What a message is.
    pub(super) fn offered(&self, event_type: &EventTypeName, channels: &[Channel]) -> Offered {
        Offered {
            event_type: self.of(event_type.as_str()),
            channels: channels.iter().map(|name| self.of(name.as_str())).collect(),
        }
    }
}

/// What an endpoint wants, in order.
pub(super) struct Wanted {
    types: Box<[u128]>,
    channels: Box<[u128]>,
}

/// What a message is.
pub(super) struct Offered {
    event_type: u128,
    channels: Vec<u128>,
}

impl Wanted {
    /// Says the same as [`Subscription::wants`].
    pub(super) fn wants(&self, offered: &Offered) -> bool {
        let (types, channels) = (&self.types, &self.channels);
        let by_type = types.is_empty() || types.binary_search(&offered.event_type).is_ok();
        let among = |channel| channels.binary_search(channel).is_ok();
        by_type && (channels.is_empty() || offered.channels.iter().any(among))
    }

    /// How many bytes it takes beside itself.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.types) + size_of_val(&*self.channels)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        (0u8..6).prop_map(|n| format!("name.{n}"))
    }

    proptest! {
        #[test]
        fn an_endpoint_wants_what_its_subscription_wants(
            types in prop::collection::btree_set(name(), 0..4),
            channels in prop::collection::btree_set(name(), 0..4),
            event_type in name(),
            in_channels in prop::collection::vec(name(), 0..3),
        ) {
            let subscription = Subscription {
                event_types: types.iter().map(|name| name.parse().unwrap()).collect(),
                channels: channels.iter().map(|name| name.parse().unwrap()).collect(),
            };
            let event_type = event_type.parse().unwrap();
            let in_channels: Vec<_> = in_channels.iter().map(|name| name.parse().unwrap()).collect();
            let fingerprints = Fingerprints::default();
            let offered = fingerprints.offered(&event_type, &in_channels);
            prop_assert_eq!(
                fingerprints.wanted(&subscription).wants(&offered),
                subscription.wants(&event_type, &in_channels)
            );
        }
    }

    #[test]
    fn names_that_differ_have_fingerprints_that_differ_and_no_two_sets_have_the_same() {
        let (one, other) = (Fingerprints::default(), Fingerprints::default());
        let prints: std::collections::HashSet<u128> = (0..10_000)
            .map(|n| one.of(&format!("invoice.{n}")))
            .collect();
        assert_eq!(prints.len(), 10_000);
        assert_ne!(one.of("invoice.paid"), other.of("invoice.paid"));
    }
}
