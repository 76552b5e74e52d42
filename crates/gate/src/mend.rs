//! Finds everything in a body that has a wrong type, so that one answer names it all.
//!
//! A parser stops at the first value that it cannot use. Here that value is noted and taken out, and
//! what is left is read again, until it can be read; checking goes on with the rest.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::Problem;
use crate::faults::Faults;
use crate::problem::{Fault, NO_JSON, VALUE};
use crate::shape::{Shape, found};

/// A larger body is named its first fault only: it is not taken apart.
const LARGEST: usize = 256 * 1024;
/// The most values that are taken out of a body.
const MOST: usize = 50;

/// What is left of a body, and what was wrong with what was taken out.
pub struct Mended {
    /// An object that can be read.
    pub text: Vec<u8>,
    /// At least one.
    pub faults: Faults,
}

/// Where reading stopped, and whether it was for what the text means or for how it is written.
pub struct Stop {
    way: Vec<Segment>,
    error: serde_json::Error,
}

/// Where reading a `T` stops, if it does.
pub fn stop<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<Stop> {
    let mut from = serde_json::Deserializer::from_slice(json);
    match serde_path_to_error::deserialize::<_, T>(&mut from) {
        Ok(_) => from.end().err().map(|error| Stop {
            way: Vec::new(),
            error,
        }),
        Err(error) => Some(Stop {
            way: error.path().iter().cloned().collect(),
            error: error.into_inner(),
        }),
    }
}

/// Takes out of an object whatever stops its reading.
///
/// # Errors
/// 422 if nothing is left to be read: it is no JSON, or too large to be taken apart.
pub fn mend(
    json: &[u8],
    shape: &Shape,
    stop: impl Fn(&[u8]) -> Option<Stop>,
) -> Result<Mended, Problem> {
    let Some(first) = stop(json) else {
        return Err(Problem::invalid(vec![fault(Vec::new(), "cannot be read")]));
    };
    if !first.error.is_data() {
        return Err(no_json(&first.error));
    }
    let whole = Some(json).filter(|json| json.len() <= LARGEST);
    let value = whole.and_then(|json| serde_json::from_slice::<Value>(json).ok());
    let Some(mut value) = value else {
        return Err(Problem::invalid(vec![told(shape, &first.way, None)]));
    };
    let mut faults = Vec::new();
    let mut gone = BTreeMap::new();
    for _ in 0..MOST {
        let text = value.to_string().into_bytes();
        let Some(next) = stop(&text) else {
            if faults.is_empty() {
                // The only thing that a tree of values does not keep.
                faults.push(fault(Vec::new(), "has a field more than once"));
            }
            let faults = Faults::of(faults);
            return Ok(Mended { text, faults });
        };
        let Some(taken) = take_out(&mut value, &next.way) else {
            faults.push(told(shape, &next.way, None));
            break;
        };
        let way = as_it_was(next.way, &mut gone);
        faults.push(told(shape, &way, Some(&taken)));
    }
    Err(Problem::invalid(faults))
}

/// Removes what a way leads to.
fn take_out(from: &mut Value, way: &[Segment]) -> Option<Value> {
    let (last, before) = way.split_last()?;
    let holder = before.iter().try_fold(from, |value, step| match step {
        Segment::Map { key } => value.get_mut(key),
        Segment::Seq { index } => value.get_mut(index),
        Segment::Enum { .. } | Segment::Unknown => None,
    })?;
    match (last, holder) {
        (Segment::Map { key }, Value::Object(all)) => all.remove(key),
        (Segment::Seq { index }, Value::Array(all)) if *index < all.len() => {
            Some(all.remove(*index))
        }
        _ => None,
    }
}

/// The way as it was before items were taken out of a list: `gone` counts them by list.
fn as_it_was(mut way: Vec<Segment>, gone: &mut BTreeMap<Vec<String>, usize>) -> Vec<Segment> {
    if let Some((Segment::Seq { index }, list)) = way.split_last_mut() {
        let count = gone.entry(names(list)).or_default();
        *index += *count;
        *count += 1;
    }
    way
}

fn names(way: &[Segment]) -> Vec<String> {
    let name = |step: &Segment| match step {
        Segment::Seq { index } => index.to_string(),
        named => named.to_string(),
    };
    way.iter().map(name).collect()
}

fn told(shape: &Shape, way: &[Segment], taken: Option<&Value>) -> Fault {
    let what = match (shape.expected(way), taken) {
        (Some(expected), Some(taken)) => format!("expected {expected}, not {}", found(taken)),
        (Some(expected), None) => format!("expected {expected}"),
        (None, _) => "has a wrong type".to_owned(),
    };
    fault(names(way), what)
}

fn fault(way: Vec<String>, what: impl Into<String>) -> Fault {
    Fault {
        loc: std::iter::once("body".to_owned()).chain(way).collect(),
        msg: what.into(),
        kind: VALUE,
    }
}

/// 422: the text is no JSON, and where that shows.
pub(crate) fn no_json(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let msg = if error.is_eof() {
        "is no JSON: it ends too early".to_owned()
    } else {
        format!("is no JSON: see line {line}, column {column}")
    };
    Problem::invalid(vec![Fault {
        kind: NO_JSON,
        ..fault(Vec::new(), msg)
    }])
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    #[derive(Debug, Deserialize, utoipa::ToSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "is only read")]
    enum Either {
        Text(String),
        Seconds(Vec<u64>),
    }

    #[derive(Debug, Deserialize, utoipa::ToSchema)]
    #[expect(dead_code, reason = "is only read")]
    struct Inner {
        name: Option<String>,
    }

    #[derive(Debug, Deserialize, utoipa::ToSchema)]
    #[expect(dead_code, reason = "is only read")]
    struct Outer {
        text: Option<String>,
        switch: Option<bool>,
        #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535)]
        rate: Option<NonZeroU16>,
        list: Option<Vec<String>>,
        map: Option<BTreeMap<String, String>>,
        either: Option<Either>,
        inner: Option<Inner>,
    }

    fn faults(json: &str) -> Vec<(String, String)> {
        let faults = match mend(json.as_bytes(), &Shape::of::<Outer>(), |text| {
            stop::<Outer>(text)
        }) {
            Ok(mended) => {
                assert!(
                    serde_json::from_slice::<Outer>(&mended.text).is_ok(),
                    "{json}"
                );
                mended.faults.into_problem()
            }
            Err(problem) => problem,
        };
        let all = faults.faults().iter();
        all.map(|fault| (fault.loc[1..].join("."), fault.msg.clone()))
            .collect()
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter()
            .map(|(at, what)| ((*at).to_owned(), (*what).to_owned()))
            .collect()
    }

    #[test]
    fn everything_with_a_wrong_type_is_named_at_once_in_our_own_words() {
        let json = r#"{"text":5,"switch":"yes","rate":70000,"list":[1,"a",2],"map":{"k":[]},
            "either":{},"inner":{"name":true}}"#;
        let expected = pairs(&[
            (
                "either",
                "expected a string or a list, each a whole number of 0 or more or null, not an object",
            ),
            ("inner.name", "expected a string or null, not true"),
            ("list.0", "expected a string, not 1"),
            ("list.2", "expected a string, not 2"),
            ("map.k", "expected a string, not a list"),
            (
                "rate",
                "expected a whole number from 1 to 65535 or null, not 70000",
            ),
            ("switch", "expected true or false or null, not a string"),
            ("text", "expected a string or null, not 5"),
        ]);
        assert_eq!(faults(json), expected);
        let inner = faults(r#"{"inner":3}"#);
        assert_eq!(inner[0].0, "inner");
        assert!(!inner[0].1.contains("Inner"), "{inner:?}");
    }

    #[test]
    fn a_field_that_comes_twice_is_a_fault() {
        assert_eq!(
            faults(r#"{"text":"a","text":"b"}"#),
            pairs(&[("", "has a field more than once")])
        );
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place() {
        assert_eq!(
            faults("{\"text\":\n \"\\ud800\"}"),
            pairs(&[("", "is no JSON: see line 2, column 9")])
        );
        assert_eq!(
            faults("{\"text\""),
            pairs(&[("", "is no JSON: it ends too early")])
        );
    }

    #[test]
    fn a_large_body_is_not_taken_apart() {
        let json = format!(r#"{{"more":"{}","rate":0,"text":1}}"#, "x".repeat(LARGEST));
        assert_eq!(
            faults(&json),
            pairs(&[("rate", "expected a whole number from 1 to 65535 or null")])
        );
    }

    #[test]
    fn the_number_of_faults_is_bounded() {
        let json = format!(r#"{{"list":[{}1]}}"#, "1,".repeat(200));
        assert_eq!(faults(&json).len(), MOST);
    }
}
