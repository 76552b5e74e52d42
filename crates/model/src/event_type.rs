//! Event types: the catalogue of what can happen.

use serde::{Deserialize, Serialize};

use crate::{EventTypeName, Timestamp};

/// A named kind of message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventType {
    /// Its name; unique.
    pub name: EventTypeName,
    /// What it means, for people.
    pub description: String,
    /// Archived types are hidden from lists and can be brought back by creating them again.
    pub archived: bool,
    /// Deprecated types are shown as such.
    pub deprecated: bool,
    /// JSON Schemas by version, as a JSON object in text; kept as submitted.
    pub schemas: Option<String>,
    /// Shown only to portal users with this flag.
    pub feature_flag: Option<String>,
    /// A heading that groups types in a catalogue.
    pub group_name: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
