//! Secrets, keys and signature headers: nothing passes that was not signed.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ringbolt_signatures::{PublicKey, Secret, Verifier};

fuzz_target!(|input: (&str, &str, &str, &str, &[u8], i64)| {
    let (key, id, timestamp, signature, payload, now) = input;
    let _any = PublicKey::parse(key);
    if let Ok(secret) = Secret::parse(key) {
        let again = Secret::parse(&secret.expose()).expect("a secret can be read again");
        assert_eq!(*again.expose(), *secret.expose());
    }
    let verifier = Verifier::new(&[
        Secret::symmetric_from([7; 24]),
        Secret::ed25519_from([7; 32]),
    ]);
    let headers = (id, timestamp, signature);
    assert!(
        verifier
            .verify(headers, payload, now, Duration::MAX)
            .is_err()
    );
});
