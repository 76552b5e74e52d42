//! Text that users attach to applications and endpoints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most bytes that metadata may take as JSON.
pub const MAX_BYTES: usize = 4096;

/// Keys and values of a user's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(pub BTreeMap<String, String>);

impl Metadata {
    /// Whether it is within [`MAX_BYTES`] as JSON.
    #[must_use]
    pub fn fits(&self) -> bool {
        let bytes: usize = self
            .0
            .iter()
            .map(|(key, value)| key.len() + value.len() + 6)
            .sum();
        bytes + 2 <= MAX_BYTES
    }
}
