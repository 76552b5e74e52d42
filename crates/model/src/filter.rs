//! Subscription filters: which messages an endpoint wants.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Channel, EventTypeName};

/// What a message must satisfy to be delivered to an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The event types wanted; none listed means all.
    pub event_types: BTreeSet<EventTypeName>,
    /// The channels wanted; none listed means every message, with or without channels.
    pub channels: BTreeSet<Channel>,
}

impl Subscription {
    /// Whether a message of this type in these channels is wanted. An endpoint with channels takes
    /// only messages whose channels overlap with its own, so none without channels.
    #[must_use]
    pub fn wants(&self, event_type: &EventTypeName, channels: &[Channel]) -> bool {
        let by_type = self.event_types.is_empty() || self.event_types.contains(event_type);
        let by_channel =
            self.channels.is_empty() || channels.iter().any(|c| self.channels.contains(c));
        by_type && by_channel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(types: &[&str], channels: &[&str]) -> Subscription {
        Subscription {
            event_types: types.iter().map(|t| t.parse().unwrap()).collect(),
            channels: channels.iter().map(|c| c.parse().unwrap()).collect(),
        }
    }

    fn wants(s: &Subscription, event_type: &str, channels: &[&str]) -> bool {
        let channels: Vec<Channel> = channels.iter().map(|c| c.parse().unwrap()).collect();
        s.wants(&event_type.parse().unwrap(), &channels)
    }

    #[test]
    fn an_empty_filter_takes_everything() {
        assert!(wants(&subscription(&[], &[]), "a", &[]));
        assert!(wants(&subscription(&[], &[]), "a", &["x"]));
    }

    #[test]
    fn types_and_channels_must_both_match() {
        let s = subscription(&["a", "b"], &["x"]);
        assert!(wants(&s, "a", &["x", "y"]));
        assert!(!wants(&s, "c", &["x"]));
        assert!(!wants(&s, "a", &["y"]));
        assert!(!wants(&s, "a", &[]));
    }
}
