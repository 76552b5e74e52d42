//! Headers that tenants choose: what passes cannot end its line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringbolt_net::check_custom_header;

fuzz_target!(|input: (&str, &str)| {
    let (name, value) = input;
    if check_custom_header(name, value).is_ok() {
        assert!(!name.is_empty() && !name.contains([':', ' ', '\r', '\n', '\0']));
        assert!(!value.contains(['\r', '\n', '\0']));
    }
});
