//! What a verifier refuses, and how it says so.

use std::time::Duration;

use ringbolt_signatures::{
    DEFAULT_TOLERANCE, PublicKey, Secret, SignedHeaders, Signer, Verifier, VerifyError, headers,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const NOW: i64 = 1_614_265_330;
const TIMESTAMP: &str = "1614265330";
const PAYLOAD: &[u8] = br#"{"test": 2432232314}"#;
const RIGHT: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const WRONG: &str = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
const UNKNOWN: &str = "v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";

fn verify<'h>(headers: impl Into<SignedHeaders<'h>>) -> Result<(), VerifyError> {
    Verifier::parse([SECRET])
        .expect("a published secret")
        .verify(headers, PAYLOAD, NOW, DEFAULT_TOLERANCE)
}

fn verify_signature(signature: &str) -> Result<(), VerifyError> {
    verify((ID, TIMESTAMP, signature))
}

/// Signs with a timestamp that lies `ahead` of the receiver's clock, and verifies that.
fn verify_with_clock(ahead: i64, tolerance: Duration) -> Result<(), VerifyError> {
    let secrets = [Secret::parse(SECRET).expect("a published secret")];
    let timestamp = NOW + ahead;
    let signature = Signer::new(&secrets).sign(ID, timestamp, PAYLOAD);
    let headers = (ID, &*timestamp.to_string(), &*signature);
    Verifier::new(&secrets).verify(headers, PAYLOAD, NOW, tolerance)
}

#[test]
fn a_missing_or_empty_header_is_named() {
    let all = [
        (headers::WEBHOOK_ID, ID),
        (headers::WEBHOOK_TIMESTAMP, TIMESTAMP),
        (headers::WEBHOOK_SIGNATURE, RIGHT),
    ];
    for (missing, _) in all {
        let found = SignedHeaders::find(|name| {
            all.iter()
                .find(|(n, _)| *n == name && name != missing)
                .map(|(_, value)| *value)
        });
        assert_eq!(verify(found), Err(VerifyError::MissingHeader(missing)));
    }
    assert_eq!(
        verify(("", TIMESTAMP, RIGHT)),
        Err(VerifyError::MissingHeader("webhook-id"))
    );
    assert_eq!(
        verify((ID, "", RIGHT)),
        Err(VerifyError::MissingHeader("webhook-timestamp"))
    );
    assert_eq!(
        verify((ID, TIMESTAMP, "")),
        Err(VerifyError::MissingHeader("webhook-signature"))
    );
}

#[test]
fn svix_headers_stand_in_for_webhook_headers_but_only_as_a_whole() {
    let svix = |name: &str| match name {
        headers::SVIX_ID => Some(ID),
        headers::SVIX_TIMESTAMP => Some(TIMESTAMP),
        headers::SVIX_SIGNATURE => Some(RIGHT),
        _ => None,
    };
    assert_eq!(verify(SignedHeaders::find(svix)), Ok(()));

    let beside_half_of_the_others = |name: &str| match name {
        headers::WEBHOOK_ID => Some("msg_other"),
        headers::WEBHOOK_SIGNATURE => Some(WRONG),
        _ => svix(name),
    };
    assert_eq!(
        verify(SignedHeaders::find(beside_half_of_the_others)),
        Ok(())
    );

    let no_timestamp = |name: &str| svix(name).filter(|_| name != headers::SVIX_TIMESTAMP);
    let refused = Err(VerifyError::MissingHeader(headers::SVIX_TIMESTAMP));
    assert_eq!(verify(SignedHeaders::find(no_timestamp)), refused);
}

#[test]
fn webhook_headers_win_where_both_families_are_complete() {
    let both = |name: &str| match name {
        headers::WEBHOOK_ID | headers::SVIX_ID => Some(ID),
        headers::WEBHOOK_TIMESTAMP | headers::SVIX_TIMESTAMP => Some(TIMESTAMP),
        headers::WEBHOOK_SIGNATURE => Some(WRONG),
        headers::SVIX_SIGNATURE => Some(RIGHT),
        _ => None,
    };
    assert_eq!(verify(SignedHeaders::find(both)), Err(VerifyError::NoMatch));
}

#[test]
fn a_timestamp_that_is_not_an_integer_is_refused() {
    for timestamp in [
        "hello",
        "161426533.0",
        "+1614265330",
        " 1614265330",
        "-",
        "1e9",
        "9223372036854775808",
    ] {
        assert_eq!(
            verify((ID, timestamp, RIGHT)),
            Err(VerifyError::TimestampNotInteger),
            "{timestamp}"
        );
    }
}

#[test]
fn a_negative_timestamp_is_an_old_one() {
    let refused = Err(VerifyError::TooOld {
        by_seconds: 1_614_265_331 - 300,
    });
    assert_eq!(verify((ID, "-1", RIGHT)), refused);
    let refused = Err(VerifyError::TooOld {
        by_seconds: (1 << 63) + 1_614_265_330 - 300,
    });
    assert_eq!(verify((ID, "-9223372036854775808", RIGHT)), refused);
}

#[test]
fn exactly_the_tolerance_passes_and_a_second_more_does_not() {
    for ahead in [-300, -299, 0, 299, 300] {
        assert_eq!(
            verify_with_clock(ahead, DEFAULT_TOLERANCE),
            Ok(()),
            "{ahead}"
        );
    }
    let [old, new] = [-301, 301].map(|ahead| verify_with_clock(ahead, DEFAULT_TOLERANCE));
    assert_eq!(old, Err(VerifyError::TooOld { by_seconds: 1 }));
    assert_eq!(new, Err(VerifyError::TooNew { by_seconds: 1 }));
}

#[test]
fn a_tolerance_of_ones_own_is_kept_to() {
    assert_eq!(verify_with_clock(-3600, Duration::from_secs(3600)), Ok(()));
    let refused = Err(VerifyError::TooOld { by_seconds: 3600 });
    assert_eq!(verify_with_clock(-3600, Duration::ZERO), refused);
    assert_eq!(verify_with_clock(0, Duration::ZERO), Ok(()));
}

#[test]
fn a_part_of_a_second_adds_nothing_to_the_tolerance() {
    let tolerance = Duration::from_millis(300_999);
    assert_eq!(verify_with_clock(300, tolerance), Ok(()));
    let refused = Err(VerifyError::TooNew { by_seconds: 1 });
    assert_eq!(verify_with_clock(301, tolerance), refused);
}

#[test]
fn the_clocks_furthest_apart_are_far_apart_and_no_more() {
    let secrets = [Secret::parse(SECRET).expect("a published secret")];
    let verifier = Verifier::new(&secrets);
    for (timestamp, now) in [(i64::MAX, i64::MIN), (i64::MIN, i64::MAX)] {
        let signature = Signer::new(&secrets).sign(ID, timestamp, PAYLOAD);
        let text = timestamp.to_string();
        let judge = |tolerance| verifier.verify((ID, &*text, &*signature), PAYLOAD, now, tolerance);
        let by_seconds = u64::MAX - 300;
        let refused = if timestamp < now {
            VerifyError::TooOld { by_seconds }
        } else {
            VerifyError::TooNew { by_seconds }
        };
        assert_eq!(judge(DEFAULT_TOLERANCE), Err(refused));
        assert_eq!(judge(Duration::MAX), Ok(()));
    }
}

#[test]
fn a_wrong_or_broken_signature_matches_nothing() {
    let first_eight = &RIGHT[.."v1,".len() + 8];
    let without_padding = RIGHT.trim_end_matches('=');
    let not_base64 = "v1,dawfeoifkpqwoekfpqoekf";
    let longer = format!("{RIGHT}=");
    let other_version = RIGHT.replace("v1,", "v1a,");
    for signature in [
        "v1,",
        first_eight,
        without_padding,
        not_base64,
        WRONG,
        &longer,
        &other_version,
    ] {
        assert_eq!(
            verify_signature(signature),
            Err(VerifyError::NoMatch),
            "{signature}"
        );
    }
}

#[test]
fn a_header_without_a_known_version_says_so() {
    let bare = RIGHT.trim_start_matches("v1,");
    for signatures in [UNKNOWN, bare, "v1", "v1b,abcd", " ", "V1,abcd"] {
        assert_eq!(
            verify_signature(signatures),
            Err(VerifyError::NoKnownVersion),
            "{signatures}"
        );
    }
}

#[test]
fn one_right_signature_in_a_list_is_enough() {
    for list in [
        format!("{WRONG} {RIGHT}"),
        format!("{WRONG} {UNKNOWN} {RIGHT} {WRONG}"),
        format!("v1a,{} {RIGHT}", "A".repeat(86) + "=="),
        format!("v1a,nonsense  {RIGHT}"),
    ] {
        assert_eq!(verify_signature(&list), Ok(()), "{list}");
    }
    assert_eq!(
        verify_signature(&format!("{WRONG} {UNKNOWN} {WRONG}")),
        Err(VerifyError::NoMatch)
    );
}

#[test]
fn a_long_list_is_looked_at_in_part() {
    let after = |wrong: usize| format!("{}{RIGHT}", format!("{WRONG} ").repeat(wrong));
    assert_eq!(verify_signature(&after(31)), Ok(()));
    assert_eq!(verify_signature(&after(32)), Err(VerifyError::NoMatch));
}

#[test]
fn a_receiver_with_either_secret_accepts_while_secrets_are_changed() {
    let (old, new) = (
        Secret::symmetric_from([1; 24]),
        Secret::ed25519_from([2; 32]),
    );
    let both = Signer::new(&[new.clone(), old.clone()]).sign(ID, NOW, PAYLOAD);
    let public = PublicKey::parse(&new.public().unwrap()).unwrap();
    for verifier in [
        Verifier::new(&[old]),
        Verifier::new(&[]).trusting(public),
        Verifier::new(&[new]),
    ] {
        let headers = (ID, TIMESTAMP, both.as_str());
        assert_eq!(
            verifier.verify(headers, PAYLOAD, NOW, DEFAULT_TOLERANCE),
            Ok(())
        );
    }
}

#[test]
fn nobody_is_trusted_by_a_verifier_without_keys() {
    let nobody = Verifier::new(&[]);
    let refused = nobody.verify((ID, TIMESTAMP, RIGHT), PAYLOAD, NOW, DEFAULT_TOLERANCE);
    assert_eq!(refused, Err(VerifyError::NoMatch));
}
