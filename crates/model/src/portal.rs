//! Portal access: what the token of a customer's portal is limited to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a portal's token may do beyond reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Capability {
    /// Read everything but secrets; every portal has it.
    ViewBase,
    /// Read signing secrets.
    ViewEndpointSecret,
    /// Read and rotate signing secrets.
    ManageEndpointSecret,
    /// Change transformations; there are none yet.
    ManageTransformations,
    /// Send again and recover.
    CreateAttempts,
    /// Create, change and delete endpoints, their secrets included.
    ManageEndpoint,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 6] = [
        Self::ViewBase,
        Self::ViewEndpointSecret,
        Self::ManageEndpointSecret,
        Self::ManageTransformations,
        Self::CreateAttempts,
        Self::ManageEndpoint,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeSet<Capability>", into = "BTreeSet<Capability>")]
pub struct Capabilities(u8);

impl Capabilities {
    /// All of them.
    pub const ALL: Self = Self(0b11_1111);
    /// Reading alone.
    pub const READING: Self = Self(Capability::ViewBase.bit());

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, one: Capability) -> bool {
        self.0 & one.bit() != 0
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |bits, one| bits | one.bit()))
    }
}

impl From<BTreeSet<Capability>> for Capabilities {
    fn from(all: BTreeSet<Capability>) -> Self {
        all.into_iter().collect()
    }
}

impl From<Capabilities> for BTreeSet<Capability> {
    fn from(all: Capabilities) -> Self {
        let has = |one: &Capability| all.has(*one);
        Capability::ALL.into_iter().filter(has).collect()
    }
}

/// What a portal's token is limited to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalAccess {
    /// What it may do.
    pub capabilities: Capabilities,
    /// The feature flags of the customer: event types with another flag are hidden.
    pub flags: BTreeSet<String>,
    /// The session that it was made for, so that tokens of a session can be ended together.
    pub session: Option<String>,
}

impl Default for PortalAccess {
    /// All that a portal can do, without flags.
    fn default() -> Self {
        Self {
            capabilities: Capabilities::ALL,
            flags: BTreeSet::new(),
            session: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it_and_survives_being_written() {
        for left_out in Capability::ALL {
            let all = Capability::ALL.into_iter().filter(|one| *one != left_out);
            let set: Capabilities = all.collect();
            for one in Capability::ALL {
                assert_eq!(set.has(one), one != left_out);
            }
            let text = serde_json::to_string(&set).unwrap();
            assert_eq!(serde_json::from_str::<Capabilities>(&text).unwrap(), set);
        }
        let all: Capabilities = Capability::ALL.into_iter().collect();
        assert_eq!(all, Capabilities::ALL);
    }
}
