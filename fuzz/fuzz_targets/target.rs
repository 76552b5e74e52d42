//! URLs of endpoints: an accepted one is accepted as it is stored, and means the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringbolt_net::{Guard, Target, TargetPolicy};

fuzz_target!(|text: &str| {
    let guard = Guard::default();
    for policy in [TargetPolicy::default(), TargetPolicy::beside(&guard)] {
        let Ok(target) = Target::parse(text, &policy) else {
            continue;
        };
        let again = Target::parse(target.as_str(), &policy).expect("what is stored is accepted");
        assert_eq!(again.as_str(), target.as_str());
        assert_eq!(again.host(), target.host());
        assert_eq!(again.port(), target.port());
        assert_eq!(
            again.precheck(&guard).is_ok(),
            target.precheck(&guard).is_ok()
        );
        let line = target.path_and_query();
        assert!(line.starts_with('/') && line.bytes().all(|byte| byte > b' ' && byte < 0x7f));
    }
});
