//! Event types as clients write and read them.

use std::collections::BTreeSet;

use ringbolt_gate::{Faults, Patch, Problem};
use ringbolt_model::{EventType, EventTypeName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::schemas::{Schemas, text_of};
use crate::bounds::{DESCRIPTION, check_label, check_text};

/// An event type to be created or replaced.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTypeIn {
    /// Its name; unique. When one is replaced, the path has it.
    #[schema(pattern = r"^[a-zA-Z0-9\-_.]+$", max_length = 256)]
    pub(super) name: Option<String>,
    /// What it means, in at most 4,096 bytes.
    #[schema(required = true, value_type = String)]
    description: Option<String>,
    /// Whether lists leave it out.
    #[serde(default)]
    archived: bool,
    /// Whether it should not be used any more.
    #[serde(default)]
    deprecated: bool,
    /// JSON Schemas by version: at most 100, of 128 KiB together and nested up to 64 levels.
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>)]
    schemas: Option<Schemas>,
    /// Portals without this flag, of 1 to 256 bytes, do not see it.
    feature_flag: Option<String>,
    /// The same; one is possible.
    feature_flags: Option<BTreeSet<String>>,
    /// A heading in a catalogue, of 1 to 256 bytes.
    group_name: Option<String>,
}

/// A change to an event type; what is left out stays as it is, `null` clears.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTypePatch {
    /// What it means.
    description: Option<String>,
    /// Whether lists leave it out.
    archived: Option<bool>,
    /// Whether it should not be used any more.
    deprecated: Option<bool>,
    /// JSON Schemas by version.
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>)]
    #[serde(default)]
    schemas: Patch<Schemas>,
    /// Portals without this flag do not see it.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    feature_flag: Patch<String>,
    /// The same; one is possible.
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(default)]
    feature_flags: Patch<BTreeSet<String>>,
    /// A heading in a catalogue.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    group_name: Patch<String>,
}

/// An event type.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTypeOut {
    /// Its name.
    #[schema(value_type = String)]
    name: EventTypeName,
    /// What it means.
    description: String,
    /// Whether lists leave it out.
    archived: bool,
    /// Whether it should not be used any more.
    deprecated: bool,
    /// JSON Schemas by version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>, nullable = false)]
    schemas: Option<Box<RawValue>>,
    /// Portals without this flag do not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_flag: Option<String>,
    /// The same as a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_flags: Option<[String; 1]>,
    /// A heading in a catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl EventTypeOut {
    pub(super) fn new(event_type: EventType, with_schemas: bool) -> Self {
        let schemas = event_type.schemas.filter(|_| with_schemas);
        Self {
            name: event_type.name,
            description: event_type.description,
            archived: event_type.archived,
            deprecated: event_type.deprecated,
            schemas: schemas.and_then(|text| RawValue::from_string(text).ok()),
            feature_flags: event_type.feature_flag.clone().map(|flag| [flag]),
            feature_flag: event_type.feature_flag,
            group_name: event_type.group_name,
            created_at: event_type.created_at,
            updated_at: event_type.updated_at,
        }
    }
}

impl EventTypeIn {
    /// The event type that a client wants; `name` is that of the path, if it has one.
    pub(super) fn check(
        self,
        mut faults: Faults,
        name: Option<EventTypeName>,
        now: Timestamp,
    ) -> Result<EventType, Problem> {
        let name = name.or_else(|| {
            let text = faults.required("name", self.name);
            faults.parsed("name", text.as_deref())
        });
        let description = faults.required("description", self.description);
        check_text(
            &mut faults,
            "description",
            description.as_deref(),
            DESCRIPTION,
        );
        check_label(&mut faults, "featureFlag", self.feature_flag.as_deref());
        check_label(&mut faults, "groupName", self.group_name.as_deref());
        let flag = self
            .feature_flag
            .or(one_flag(&mut faults, self.feature_flags));
        let schemas = self
            .schemas
            .and_then(|schemas| text_of(&mut faults, &schemas));
        faults.end()?;
        let name = name.ok_or_else(|| Problem::invalid_at("body", "name", "is needed"))?;
        Ok(EventType {
            name,
            description: description.unwrap_or_default(),
            archived: self.archived,
            deprecated: self.deprecated,
            schemas,
            feature_flag: flag,
            group_name: self.group_name,
            created_at: now,
            updated_at: now,
        })
    }
}

/// Replaces all of an event type that a client can choose.
pub(super) fn replace(event_type: &mut EventType, wanted: &EventType) {
    let created_at = event_type.created_at;
    *event_type = EventType {
        created_at,
        updated_at: wanted.updated_at.max(created_at),
        ..wanted.clone()
    };
}

/// A change that was checked.
#[derive(Debug, Clone)]
pub(super) struct Change {
    description: Option<String>,
    archived: Option<bool>,
    deprecated: Option<bool>,
    schemas: Patch<String>,
    feature_flag: Patch<String>,
    group_name: Patch<String>,
}

impl EventTypePatch {
    pub(super) fn check(self, mut faults: Faults) -> Result<Change, Problem> {
        let description = self.description.as_deref();
        check_text(&mut faults, "description", description, DESCRIPTION);
        let flag = self.feature_flag.value().map(String::as_str);
        check_label(&mut faults, "featureFlag", flag);
        let group = self.group_name.value().map(String::as_str);
        check_label(&mut faults, "groupName", group);
        let schemas = match self.schemas {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(schemas) => text_of(&mut faults, &schemas).map_or(Patch::Keep, Patch::Set),
        };
        let feature_flag = match (self.feature_flag, self.feature_flags) {
            (Patch::Keep, Patch::Clear) => Patch::Clear,
            (Patch::Keep, Patch::Set(flags)) => {
                one_flag(&mut faults, Some(flags)).map_or(Patch::Clear, Patch::Set)
            }
            (flag, _) => flag,
        };
        faults.end()?;
        Ok(Change {
            description: self.description,
            archived: self.archived,
            deprecated: self.deprecated,
            schemas,
            feature_flag,
            group_name: self.group_name,
        })
    }
}

impl Change {
    pub(super) fn apply(&self, event_type: &mut EventType, now: Timestamp) {
        let change = self.clone();
        if let Some(description) = change.description {
            event_type.description = description;
        }
        event_type.archived = change.archived.unwrap_or(event_type.archived);
        event_type.deprecated = change.deprecated.unwrap_or(event_type.deprecated);
        change.schemas.apply(&mut event_type.schemas);
        change.feature_flag.apply(&mut event_type.feature_flag);
        change.group_name.apply(&mut event_type.group_name);
        event_type.updated_at = now.max(event_type.created_at);
    }
}

fn one_flag(faults: &mut Faults, flags: Option<BTreeSet<String>>) -> Option<String> {
    let flags = flags.unwrap_or_default();
    if flags.len() > 1 {
        faults.add("featureFlags", "one flag is possible");
    }
    let flag = flags.into_iter().next();
    check_label(faults, "featureFlags", flag.as_deref());
    flag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<EventType, Problem> {
        let input: EventTypeIn = ringbolt_gate::body::parse(json.as_bytes())?;
        input.check(Faults::default(), None, Timestamp::from_seconds(1))
    }

    fn changed(json: &str) -> Result<Change, Problem> {
        let input: EventTypePatch = ringbolt_gate::body::parse(json.as_bytes())?;
        input.check(Faults::default())
    }

    #[test]
    fn schemas_stay_as_they_were_written() {
        let made = checked(
            r#"{"name":"a.b","description":"","schemas":{"1":{"type": "object","b":1.0}}}"#,
        );
        assert_eq!(
            made.unwrap().schemas.unwrap(),
            r#"{"1":{"type": "object","b":1.0}}"#
        );
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let problem = checked(r#"{"name":"a b","featureFlags":["x","y"]}"#).unwrap_err();
        let named: Vec<_> = problem
            .faults()
            .iter()
            .map(|fault| fault.loc[1].as_str())
            .collect();
        assert_eq!(named, ["name", "description", "featureFlags"]);
        let problem = checked(r#"{"name":"a","description":"","schemas":[]}"#).unwrap_err();
        assert_eq!(problem.faults()[0].loc, ["body", "schemas"]);
        let problem = changed(r#"{"schemas":{"1":7}}"#).unwrap_err();
        assert_eq!(problem.faults()[0].loc, ["body", "schemas", "1"]);
    }

    #[test]
    fn texts_have_a_bound_wherever_they_are_given() {
        for (field, most) in [
            ("description", 4096),
            ("featureFlag", 256),
            ("groupName", 256),
        ] {
            let given = |bytes: usize| {
                let text = "x".repeat(bytes);
                let new = format!(r#"{{"name":"a","description":"","{field}":"{text}"}}"#);
                let new = new.replace(r#""description":"","description""#, r#""description""#);
                [
                    checked(&new).err(),
                    changed(&format!(r#"{{"{field}":"{text}"}}"#)).err(),
                ]
            };
            assert_eq!(given(most), [None, None], "{field}");
            for problem in given(most + 1) {
                assert_eq!(problem.unwrap().faults()[0].loc, ["body", field]);
            }
        }
        let long = format!(r#"{{"featureFlags":["{}"]}}"#, "x".repeat(257));
        let problem = changed(&long).unwrap_err();
        assert_eq!(problem.faults()[0].loc, ["body", "featureFlags"]);
    }

    #[test]
    fn a_flag_has_two_spellings() {
        let made = checked(r#"{"name":"a","description":"","featureFlags":["x"]}"#).unwrap();
        let shown = serde_json::to_value(EventTypeOut::new(made, true)).unwrap();
        assert_eq!(
            (&shown["featureFlag"], &shown["featureFlags"][0]),
            (&"x".into(), &"x".into())
        );
    }
}
