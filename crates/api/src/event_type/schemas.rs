//! JSON Schemas by version: kept as they were written, once they are bounded and could be schemas.
//!
//! What is checked is the shape: each keyword that the drafts from 4 to 2020-12 know has a value of a kind that
//! one of them allows. Other keywords may have any value, and `$ref` may lead anywhere: nothing follows it.

use std::collections::BTreeMap;

use ringbolt_gate::{Faults, depth};
use serde_json::Value;
use serde_json::value::RawValue;

/// JSON Schemas by version, as they were written.
pub(super) type Schemas = BTreeMap<String, Box<RawValue>>;

/// The most bytes of all versions together.
const MOST_BYTES: usize = 128 * 1024;
/// The most versions.
const MOST_VERSIONS: usize = 100;
/// How deep a schema may be nested, and what is said of one that goes deeper.
const DEEPEST: usize = 64;
const TOO_DEEP: &str = "is nested deeper than 64 levels";

const TYPES: &[&str] = &[
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// The schemas as one text, unless something is wrong with them.
pub(super) fn text_of(faults: &mut Faults, schemas: &Schemas) -> Option<String> {
    let bytes: usize = schemas
        .iter()
        .map(|(version, schema)| version.len() + schema.get().len())
        .sum();
    if bytes > MOST_BYTES {
        faults.add("schemas", format!("must have at most {MOST_BYTES} bytes"));
        return None;
    }
    if schemas.len() > MOST_VERSIONS {
        let what = format!("must have at most {MOST_VERSIONS} versions");
        faults.add("schemas", what);
        return None;
    }
    faults.nested("schemas", |faults| {
        for (version, schema) in schemas {
            let mut way = vec![version.clone()];
            if let Err(what) = check_version(&mut way, schema.get()) {
                note(faults, &way, what);
            }
        }
    });
    faults.check("schemas", serde_json::to_string(schemas))
}

/// Adds a fault at the end of a way.
fn note(faults: &mut Faults, way: &[String], what: &str) {
    match way {
        [] => {}
        [field] => faults.add(field, what),
        [field, rest @ ..] => faults.nested(field, |faults| note(faults, rest, what)),
    }
}

/// What is wrong, in words; the way then leads there.
type Verdict = Result<(), &'static str>;

fn check_version(way: &mut Vec<String>, text: &str) -> Verdict {
    if !depth::within(text.as_bytes(), DEEPEST) {
        return Err(TOO_DEEP);
    }
    let schema = serde_json::from_str(text).map_err(|_| "has a number that is out of range")?;
    match schema {
        Value::Object(_) => check(way, &schema),
        _ => Err("expected a JSON Schema, which is an object"),
    }
}

/// Whether this could be a schema.
fn check(way: &mut Vec<String>, schema: &Value) -> Verdict {
    let keywords = match schema {
        Value::Object(keywords) => keywords,
        Value::Bool(_) => return Ok(()),
        _ => return Err("expected a JSON Schema: an object, true or false"),
    };
    keywords.iter().try_for_each(|(keyword, value)| {
        within(way, keyword, |way| check_keyword(way, keyword, value))
    })
}

/// Goes one step further; comes back only if nothing is wrong there.
fn within(
    way: &mut Vec<String>,
    step: &str,
    check: impl FnOnce(&mut Vec<String>) -> Verdict,
) -> Verdict {
    way.push(step.to_owned());
    check(way)?;
    way.pop();
    Ok(())
}

fn check_keyword(way: &mut Vec<String>, keyword: &str, value: &Value) -> Verdict {
    match keyword {
        "type" => is(
            types(value),
            "expected one of the seven types, or a list of them",
        ),
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
            check_map(way, value)
        }
        "additionalProperties"
        | "unevaluatedProperties"
        | "propertyNames"
        | "additionalItems"
        | "unevaluatedItems"
        | "contains"
        | "not"
        | "if"
        | "then"
        | "else" => check(way, value),
        "items" if value.is_array() => check_list(way, value),
        "items" => check(way, value),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => check_list(way, value),
        "required" => is(strings(value), "expected a list of names"),
        "enum" | "examples" => is(value.is_array(), "expected a list"),
        "minimum" | "maximum" | "multipleOf" => is(value.is_number(), "expected a number"),
        "exclusiveMinimum" | "exclusiveMaximum" => {
            is(value.is_number() || value.is_boolean(), "expected a number")
        }
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => is(count(value), "expected a whole number of 0 or more"),
        "title" | "description" | "pattern" | "format" | "$ref" | "$schema" | "$id"
        | "$comment" | "$anchor" => is(value.is_string(), "expected a string"),
        "uniqueItems" => is(value.is_boolean(), "expected true or false"),
        _ => Ok(()),
    }
}

const fn is(sound: bool, else_what: &'static str) -> Verdict {
    if sound { Ok(()) } else { Err(else_what) }
}

fn check_map(way: &mut Vec<String>, value: &Value) -> Verdict {
    let all = value
        .as_object()
        .ok_or("expected an object of JSON Schemas by name")?;
    all.iter()
        .try_for_each(|(name, schema)| within(way, name, |way| check(way, schema)))
}

fn check_list(way: &mut Vec<String>, value: &Value) -> Verdict {
    let all = value.as_array().ok_or("expected a list of JSON Schemas")?;
    all.iter()
        .enumerate()
        .try_for_each(|(n, schema)| within(way, &n.to_string(), |way| check(way, schema)))
}

fn types(value: &Value) -> bool {
    let is_type = |one: &Value| one.as_str().is_some_and(|name| TYPES.contains(&name));
    match value {
        Value::Array(all) => !all.is_empty() && all.iter().all(is_type),
        one => is_type(one),
    }
}

fn strings(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|all| all.iter().all(Value::is_string))
}

/// Whole numbers may be written with a point: `1.0`.
fn count(value: &Value) -> bool {
    value
        .as_f64()
        .is_some_and(|number| number >= 0.0 && number.fract() == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ways to what is wrong, without `body` and `schemas`.
    fn wrong(schemas: &str) -> Vec<String> {
        let schemas: Schemas = serde_json::from_str(schemas).unwrap();
        let mut faults = Faults::default();
        let text = text_of(&mut faults, &schemas);
        match faults.end() {
            Ok(()) => {
                assert!(text.is_some());
                Vec::new()
            }
            Err(problem) => {
                let faults = problem.faults().iter();
                faults.map(|fault| fault.loc[1..].join("/")).collect()
            }
        }
    }

    #[test]
    fn what_could_be_a_schema_is_kept() {
        for sound in [
            "{}",
            r#"{"1":{}}"#,
            r#"{"1":{"type":["object","null"],"properties":{"a":true,"b":{"type":"integer","minimum":1}},
                "required":["a"],"additionalProperties":false,"examples":[1,null],"x-own":[{"type":7}]}}"#,
            r##"{"v2":{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#/$defs/a","$defs":{"a":{}},
                "items":[{},{}],"anyOf":[{"const":null},{"enum":[]}],"minLength":1.0,"exclusiveMinimum":true}}"##,
            r#"{"1":{"properties":{"type":{"type":"string"},"required":{"type":"boolean"}},"default":{"type":9}}}"#,
        ] {
            assert_eq!(wrong(sound), Vec::<String>::new(), "{sound}");
        }
    }

    #[test]
    fn what_could_not_is_named_by_its_way() {
        for (odd, way) in [
            (r#"{"1":[]}"#, "schemas/1"),
            (r#"{"1":null}"#, "schemas/1"),
            (r#"{"1":true}"#, "schemas/1"),
            (r#"{"1":"text"}"#, "schemas/1"),
            (r#"{"1":{"maximum":1e999}}"#, "schemas/1"),
            (r#"{"1":{"type":"text"}}"#, "schemas/1/type"),
            (r#"{"1":{"type":[]}}"#, "schemas/1/type"),
            (r#"{"1":{"required":true}}"#, "schemas/1/required"),
            (r#"{"1":{"properties":[]}}"#, "schemas/1/properties"),
            (r#"{"1":{"properties":{"a":7}}}"#, "schemas/1/properties/a"),
            (
                r#"{"1":{"allOf":[{},{"not":[]}]}}"#,
                "schemas/1/allOf/1/not",
            ),
            (
                r#"{"1":{"items":{"minLength":-1}}}"#,
                "schemas/1/items/minLength",
            ),
            (
                r#"{"1":{"items":{"maxItems":1.5}}}"#,
                "schemas/1/items/maxItems",
            ),
            (r#"{"1":{"examples":{}}}"#, "schemas/1/examples"),
            (r#"{"1":{"$ref":{}}}"#, "schemas/1/$ref"),
            (r#"{"1":{"uniqueItems":"yes"}}"#, "schemas/1/uniqueItems"),
        ] {
            assert_eq!(wrong(odd), [way], "{odd}");
        }
        let both = r#"{"1":{"type":"x"},"2":{"type":"object"},"3":[]}"#;
        assert_eq!(wrong(both), ["schemas/1/type", "schemas/3"]);
    }

    #[test]
    fn schemas_are_bounded_in_bytes_versions_and_depth() {
        let long = |bytes| format!(r#"{{"1":{{"title":"{}"}}}}"#, "x".repeat(bytes));
        assert_eq!(wrong(&long(MOST_BYTES - 20)), Vec::<String>::new());
        assert_eq!(wrong(&long(MOST_BYTES)), ["schemas"]);

        let versions = |many: usize| {
            let all: BTreeMap<_, _> = (0..many).map(|n| (n.to_string(), true)).collect();
            serde_json::to_string(&all).unwrap().replace("true", "{}")
        };
        assert_eq!(wrong(&versions(MOST_VERSIONS)), Vec::<String>::new());
        assert_eq!(wrong(&versions(MOST_VERSIONS + 1)), ["schemas"]);

        let nested = |levels: usize| {
            let (open, close) = (r#"{"not":"#.repeat(levels - 1), "}".repeat(levels - 1));
            format!(r#"{{"1":{open}{{}}{close}}}"#)
        };
        assert_eq!(wrong(&nested(DEEPEST)), Vec::<String>::new());
        assert_eq!(wrong(&nested(DEEPEST + 1)), ["schemas/1"]);
    }
}
