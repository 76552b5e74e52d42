//! What holds for every secret and every message.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use ringbolt_signatures::{DEFAULT_TOLERANCE, Secret, Signer, Verifier};

fn symmetric() -> impl Strategy<Value = Secret> {
    vec(any::<u8>(), 24..=75).prop_map(|bytes| {
        Secret::parse(&format!("whsec_{}", STANDARD.encode(bytes))).expect("24 to 75 bytes")
    })
}

fn secret() -> impl Strategy<Value = Secret> {
    prop_oneof![
        symmetric(),
        any::<[u8; 32]>().prop_map(Secret::ed25519_from)
    ]
}

#[derive(Clone, Debug)]
struct Message {
    id: String,
    timestamp: i64,
    payload: Vec<u8>,
}

fn message() -> impl Strategy<Value = Message> {
    ("[!-~]{1,40}", any::<i64>(), vec(any::<u8>(), 0..400)).prop_map(|(id, timestamp, payload)| {
        Message {
            id,
            timestamp,
            payload,
        }
    })
}

/// The same bytes with one of the lower seven bits of one of them turned: ASCII stays ASCII.
fn flipped(bytes: &[u8], place: prop::sample::Index, bit: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let index = place.index(bytes.len());
    bytes[index] ^= 1 << bit;
    bytes
}

fn flipped_text(text: &str, place: prop::sample::Index, bit: u8) -> String {
    String::from_utf8(flipped(text.as_bytes(), place, bit)).expect("ASCII stays ASCII")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_verifies_with_any_one_of_the_secrets(
        secrets in vec(secret(), 1..4),
        message in message(),
        clock in -300..=300_i64,
    ) {
        let signatures = Signer::new(&secrets).sign(&message.id, message.timestamp, &message.payload);
        prop_assert_eq!(signatures.split(' ').count(), secrets.len());
        // Some libraries split at the comma and fail on anything but two parts.
        for signature in signatures.split(' ') {
            let (version, base64) = signature.split_once(',').unwrap();
            prop_assert!(["v1", "v1a"].contains(&version), "{}", signature);
            prop_assert!(STANDARD.decode(base64).is_ok(), "{}", signature);
        }
        let timestamp = message.timestamp.to_string();
        let now = message.timestamp.saturating_add(clock);
        for secret in &secrets {
            let headers = (&*message.id, &*timestamp, &*signatures);
            let verifier = Verifier::parse([&*secret.shown()]).unwrap();
            prop_assert_eq!(verifier.verify(headers, &message.payload, now, DEFAULT_TOLERANCE), Ok(()));
        }
    }

    #[test]
    fn another_secret_does_not_verify(ours in secret(), other in secret(), message in message()) {
        prop_assume!(ours != other);
        let signature = Signer::new(&[ours]).sign(&message.id, message.timestamp, &message.payload);
        let headers = (&*message.id, &*message.timestamp.to_string(), &*signature);
        let judged = Verifier::new(&[other]).verify(headers, &message.payload, message.timestamp, Duration::MAX);
        prop_assert!(judged.is_err());
    }

    #[test]
    fn one_flipped_bit_anywhere_is_noticed(
        secret in secret(),
        message in message(),
        place in any::<prop::sample::Index>(),
        bit in 0..7_u8,
    ) {
        let secrets = [secret];
        let verifier = Verifier::new(&secrets);
        let Message { id, timestamp, payload } = message;
        let signature = Signer::new(&secrets).sign(&id, timestamp, &payload);
        let now = timestamp;
        let timestamp = timestamp.to_string();
        // No timestamp is too old here, so that it is the signature that has to notice.
        let accepts = |id: &str, timestamp: &str, signature: &str, payload: &[u8]| {
            verifier.verify((id, timestamp, signature), payload, now, Duration::MAX).is_ok()
        };

        prop_assert!(accepts(&id, &timestamp, &signature, &payload));
        prop_assert!(!accepts(&flipped_text(&id, place, bit), &timestamp, &signature, &payload));
        prop_assert!(!accepts(&id, &flipped_text(&timestamp, place, bit), &signature, &payload));
        prop_assert!(!accepts(&id, &timestamp, &flipped_text(&signature, place, bit), &payload));
        if !payload.is_empty() {
            prop_assert!(!accepts(&id, &timestamp, &signature, &flipped(&payload, place, bit)));
        }
    }

    #[test]
    fn a_secret_survives_being_text(secret in secret()) {
        let text = secret.expose();
        let read = Secret::parse(&text).unwrap();
        prop_assert_eq!(&read, &secret);
        prop_assert_eq!(read.expose(), text);
        prop_assert_eq!(read.public(), secret.public());
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 2, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parsers_panic(text in "(whsec_|whsk_|whpk_)?[ -~é]{0,120}", headers in any::<(String, String, String)>()) {
        let _ = Secret::parse(&text);
        let parsed = Verifier::parse([&text]);
        let verifier = parsed.unwrap_or_else(|_| Verifier::new(&[Secret::symmetric_from([7; 24])]));
        let headers = (&*headers.0, &*headers.1, &*headers.2);
        prop_assert!(verifier.verify(headers, b"", 0, DEFAULT_TOLERANCE).is_err());
    }
}
