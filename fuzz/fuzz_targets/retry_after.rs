//! `Retry-After`: no value makes it panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringbolt_net::retry_after;

fuzz_target!(|input: (&str, i64)| {
    let (value, now) = input;
    let _any = retry_after(value, now);
});
