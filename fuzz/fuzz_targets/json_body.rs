//! Request bodies: depth is bounded before anything recurses.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringbolt_gate::{body, depth};
use serde_json::Value;

/// How deep the parser itself goes.
const PARSER: usize = 128;

fuzz_target!(|json: &[u8]| {
    if serde_json::from_slice::<Value>(json).is_ok() {
        assert!(
            depth::within(json, PARSER),
            "valid JSON is not as deep as this"
        );
    }
    if !depth::within(json, depth::MOST + 1) {
        assert!(body::parse::<Value>(json).is_err());
    }
    let _any = body::parse::<Value>(json);
});
