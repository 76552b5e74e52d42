//! Ids: what is read is written as it was.

#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use ringbolt_model::{AppId, AttemptId, EndpointId, KeyId, MessageId, TaskId};

fn read<I: FromStr + Display>(text: &str) {
    if let Ok(id) = text.parse::<I>() {
        assert_eq!(id.to_string(), text);
    }
}

fuzz_target!(|text: &str| {
    read::<AppId>(text);
    read::<AttemptId>(text);
    read::<EndpointId>(text);
    read::<KeyId>(text);
    read::<MessageId>(text);
    read::<TaskId>(text);
});
