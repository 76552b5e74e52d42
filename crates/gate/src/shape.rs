//! What a value is expected to be, in words, told from the description of the body that it stands in.
//!
//! The words of a parser are not for clients: they name our types, and change with the parser.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_path_to_error::Segment;
use utoipa::ToSchema;

/// The description of a body, with the shapes that it refers to.
pub struct Shape {
    root: Value,
    others: BTreeMap<String, Value>,
}

impl Shape {
    /// The description of `T`.
    #[must_use]
    pub fn of<T: ToSchema>() -> Self {
        let mut others = Vec::new();
        T::schemas(&mut others);
        let json = |shape| serde_json::to_value(shape).unwrap_or_default();
        Self {
            root: json(T::schema()),
            others: others
                .into_iter()
                .map(|(name, shape)| (name, json(shape)))
                .collect(),
        }
    }

    /// What is expected at the end of a way through the body; `None` if the description does not say.
    pub(crate) fn expected(&self, way: &[Segment]) -> Option<String> {
        self.words(self.at(&self.root, way)?)
    }

    fn resolve<'a>(&'a self, shape: &'a Value) -> &'a Value {
        let name = shape["$ref"]
            .as_str()
            .and_then(|way| way.rsplit('/').next());
        name.and_then(|name| self.others.get(name)).unwrap_or(shape)
    }

    fn at<'a>(&'a self, shape: &'a Value, way: &[Segment]) -> Option<&'a Value> {
        let shape = self.resolve(shape);
        let Some((next, rest)) = way.split_first() else {
            return Some(shape);
        };
        let inner = match next {
            Segment::Map { key } => shape["properties"]
                .get(key)
                .or_else(|| shape.get("additionalProperties")),
            Segment::Seq { .. } => shape.get("items"),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        if let Some(inner) = inner {
            return self.at(inner, rest);
        }
        alternatives(shape).find_map(|one| self.at(one, way))
    }

    fn words(&self, shape: &Value) -> Option<String> {
        let shape = self.resolve(shape);
        if let Some(values) = shape["enum"].as_array() {
            let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
            return Some(format!("one of {}", values.join(", ")));
        }
        let several: Vec<_> = alternatives(shape)
            .filter_map(|one| self.words(one))
            .collect();
        if !several.is_empty() {
            return Some(several.join(" or "));
        }
        let kinds = match &shape["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => Vec::from_iter(kind.as_str()),
        };
        let words: Vec<_> = kinds
            .into_iter()
            .filter_map(|kind| self.kind(kind, shape))
            .collect();
        (!words.is_empty()).then(|| words.join(" or "))
    }

    fn kind(&self, kind: &str, shape: &Value) -> Option<String> {
        let simple = match kind {
            "string" if shape["format"] == "date-time" => {
                "a date and time such as 2026-01-31T12:00:00Z"
            }
            "string" => "a string",
            "boolean" => "true or false",
            "number" => "a number",
            "null" => "null",
            "integer" => return Some(whole_number(shape)),
            "array" => {
                let items = self.words(&shape["items"]);
                return Some(
                    items.map_or("a list".to_owned(), |one| format!("a list, each {one}")),
                );
            }
            "object" => {
                let values = self.words(&shape["additionalProperties"]);
                return Some(values.map_or("an object".to_owned(), |one| {
                    format!("an object, each value {one}")
                }));
            }
            _ => return None,
        };
        Some(simple.to_owned())
    }
}

fn alternatives(shape: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf", "allOf"]
        .into_iter()
        .filter_map(|name| shape[name].as_array())
        .flatten()
}

fn whole_number(shape: &Value) -> String {
    match (shape["minimum"].as_f64(), shape["maximum"].as_f64()) {
        (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
        (Some(least), None) => format!("a whole number of {least} or more"),
        (None, Some(most)) => format!("a whole number of {most} or less"),
        (None, None) => "a whole number".to_owned(),
    }
}

/// What was found, in words.
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        plain => plain.to_string(),
    }
}
