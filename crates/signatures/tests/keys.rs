//! Keys as text: what is accepted, what is refused, and what never shows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringbolt_signatures::{PublicKey, Secret, SecretError, Signer, Verifier};

const PAIR: &str =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

fn text(prefix: &str, bytes: &[u8]) -> String {
    format!("{prefix}{}", STANDARD.encode(bytes))
}

fn refusal(text: &str) -> SecretError {
    Secret::parse(text).expect_err(text)
}

#[test]
fn a_text_without_the_prefix_of_a_secret_is_refused() {
    for wrong in [
        "",
        "w",
        "hwsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ] {
        assert_eq!(refusal(wrong), SecretError::UnknownPrefix, "{wrong}");
    }
    assert_eq!(refusal(PUBLIC), SecretError::PublicKey);
}

#[test]
fn what_follows_the_prefix_must_be_standard_base64() {
    for wrong in [
        "whsec_%",
        "whsec_wronglength",
        "whsk_%",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS_",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-",
        "whsec_ MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=",
        "whsec_MfKQ9r8GKYqr=TwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSé",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS\0",
        "whsec_whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
    ] {
        assert_eq!(refusal(wrong), SecretError::NotBase64, "{wrong}");
    }
}

#[test]
fn bits_that_no_byte_holds_must_be_zero() {
    let right = text("whsec_", &[0; 25]);
    assert!(right.ends_with("A=="));
    for other in ["B==", "P==", "B", "P"] {
        let wrong = right.replace("A==", other);
        assert_eq!(refusal(&wrong), SecretError::NotBase64, "{wrong}");
    }
}

#[test]
fn a_symmetric_secret_is_24_to_75_bytes_long() {
    for found in [0, 1, 23, 76, 81, 4096] {
        let wrong = text("whsec_", &vec![7; found]);
        assert_eq!(refusal(&wrong), SecretError::SymmetricLength { found });
    }
    for right in [24, 32, 64, 75] {
        assert!(
            Secret::parse(&text("whsec_", &vec![7; right])).is_ok(),
            "{right}"
        );
    }
}

#[test]
fn a_key_pair_is_whole_and_its_halves_belong_together() {
    let pair = STANDARD.decode(&PAIR["whsk_".len()..]).unwrap();
    for found in [0, 32, 63] {
        let wrong = text("whsk_", &pair[..found]);
        assert_eq!(refusal(&wrong), SecretError::KeyPairLength { found });
    }
    let mut mixed = pair;
    mixed[0] ^= 1;
    assert_eq!(
        refusal(&text("whsk_", &mixed)),
        SecretError::KeyPairMismatch
    );
}

#[test]
fn a_public_key_is_a_usable_point_and_not_a_secret() {
    assert_eq!(PublicKey::parse(PUBLIC).unwrap().to_string(), PUBLIC);
    let refusal = |text: &str| PublicKey::parse(text).expect_err(text);
    assert_eq!(refusal(PAIR), SecretError::NotPublic);
    assert_eq!(refusal(&text("whsec_", &[7; 24])), SecretError::NotPublic);
    assert_eq!(refusal("whp_"), SecretError::UnknownPrefix);
    assert_eq!(refusal("whpk_%"), SecretError::NotBase64);
    assert_eq!(
        refusal(&text("whpk_", &[7; 31])),
        SecretError::PublicKeyLength { found: 31 }
    );
    let no_point = text("whpk_", &[2; 32]);
    assert_eq!(refusal(&no_point), SecretError::PublicKeyInvalid);
    let small_order = text("whpk_", &[0; 32]);
    assert_eq!(refusal(&small_order), SecretError::PublicKeyInvalid);
}

#[test]
fn missing_padding_is_forgiven_and_never_written() {
    let padded = text("whsec_", &[7; 32]);
    let secret = Secret::parse(padded.trim_end_matches('=')).unwrap();
    assert_eq!(*secret.expose(), padded);
}

#[test]
fn only_an_asymmetric_secret_has_a_public_half() {
    let pair = Secret::parse(PAIR).unwrap();
    assert_eq!(pair.public().as_deref(), Some(PUBLIC));
    assert_eq!(*pair.shown(), PUBLIC);
    assert_eq!(*pair.expose(), PAIR);
    let symmetric = Secret::symmetric_from([7; 24]);
    assert_eq!(symmetric.public(), None);
    assert_eq!(symmetric.shown(), symmetric.expose());
}

#[test]
fn secrets_are_equal_when_kind_and_bytes_are() {
    let symmetric = Secret::symmetric_from([7; 24]);
    assert_eq!(symmetric, Secret::parse(&symmetric.expose()).unwrap());
    assert_ne!(symmetric, Secret::symmetric_from([8; 24]));
    assert_ne!(symmetric, Secret::parse(&text("whsec_", &[7; 25])).unwrap());
    let pair = Secret::ed25519_from([7; 32]);
    assert_eq!(pair, pair.clone());
    assert_ne!(pair, Secret::ed25519_from([8; 32]));
    assert_ne!(pair, Secret::parse(&text("whsec_", &[7; 32])).unwrap());
}

#[test]
fn debug_shows_no_part_of_a_secret() {
    let symmetric = Secret::symmetric_from([7; 24]);
    let pair = Secret::parse(PAIR).unwrap();
    let secrets = [symmetric, pair];
    assert_eq!(
        format!("{secrets:?}"),
        format!("[Secret(whsec_…), Secret(whsk_… of {PUBLIC})]")
    );
    assert_eq!(format!("{:?}", Signer::new(&secrets)), "Signer(2 secrets)");
    assert_eq!(format!("{:?}", Verifier::new(&secrets)), "Verifier(2 keys)");
}

#[test]
fn an_error_repeats_nothing_of_the_text() {
    for wrong in [
        "hunter2",
        "whsec_hunter2",
        "whsec_hunter2%",
        "whsk_hunter2hunter2",
    ] {
        let error = refusal(wrong);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
