//! How deep JSON is nested, told without parsing it: whoever parses by recursion must not meet depth.

/// The deepest nesting of arrays and objects that a payload may have.
pub const MOST: usize = 128;

/// Whether no more than `most` arrays and objects are open at once. The text need not be valid JSON:
/// what is invalid is found by whoever parses it.
#[must_use]
pub fn within(json: &[u8], most: usize) -> bool {
    // Counting is many bytes at a time, and settles nearly every case.
    let opened = json
        .iter()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count();
    opened <= most || deepest(json) <= most
}

fn deepest(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut at) = (0usize, 0, 0);
    while at < json.len() {
        match json[at] {
            b'"' => at = end_of_string(json, at + 1),
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// Where the string that begins at `at` ends: at its closing quote.
fn end_of_string(json: &[u8], mut at: usize) -> usize {
    while at < json.len() {
        match json[at] {
            b'\\' => at += 2,
            b'"' => return at,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn depth_is_counted_and_width_is_not() {
        let nested = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert!(within(&nested(128), 128));
        assert!(!within(&nested(129), 128));
        assert!(!within(&nested(100_000), 128));
        let wide = format!("[{}]", vec!["[[]]"; 1000].join(","));
        assert!(within(wide.as_bytes(), 3));
        assert!(!within(wide.as_bytes(), 2));
        let mixed = br#"{"a":"#.repeat(129);
        assert!(!within(&mixed, 128));
    }

    #[test]
    fn brackets_in_strings_are_text() {
        let text = format!(r#"{{"a":"\"{}\\"}}"#, "[".repeat(500));
        assert!(within(text.as_bytes(), 1));
        assert!(
            within(br#""[[[[\"#, 1),
            "a string that does not end is no reason to panic"
        );
    }

    fn depth_of(value: &Value) -> usize {
        match value {
            Value::Array(all) => 1 + all.iter().map(depth_of).max().unwrap_or(0),
            Value::Object(all) => 1 + all.values().map(depth_of).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[\\[\\]{}\"\\\\a ]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(8, 64, 4, |inner| {
            let named = ("[\\[{\"a]{0,3}", inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                prop::collection::vec(named, 0..4).prop_map(|all| all.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_scan_finds_what_a_parser_finds(value in json(), most in 0usize..12) {
            let text = value.to_string();
            prop_assert_eq!(deepest(text.as_bytes()), depth_of(&value));
            prop_assert_eq!(within(text.as_bytes(), most), depth_of(&value) <= most);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = within(&bytes, 0);
        }
    }
}
