//! The vectors that the libraries of Standard Webhooks and Svix's server are tested with.

use ringbolt_signatures::{DEFAULT_TOLERANCE, Secret, Signer, Verifier};

struct Vector {
    secret: &'static str,
    /// What a receiver holds.
    shown: &'static str,
    id: &'static str,
    timestamp: i64,
    payload: &'static str,
    signature: &'static str,
}

const V1: Vector = Vector {
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    shown: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestamp: 1_614_265_330,
    payload: r#"{"test": 2432232314}"#,
    signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};

const V2: Vector = Vector {
    secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    shown: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
    timestamp: 1_649_367_553,
    payload: r#"{"email":"test@example.com","username":"test_user"}"#,
    signature: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
};

const V3: Vector = Vector {
    secret: "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
    shown: "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
    signature: "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
    ..V1
};

const VECTORS: [Vector; 3] = [V1, V2, V3];

fn secret(vector: &Vector) -> Secret {
    Secret::parse(vector.secret).expect("a published secret")
}

#[test]
fn each_vector_is_signed_as_published() {
    for vector in VECTORS {
        let signer = Signer::new(&[secret(&vector)]);
        let made = signer.sign(vector.id, vector.timestamp, vector.payload.as_bytes());
        assert_eq!(made, vector.signature);
    }
}

#[test]
fn each_vector_verifies_with_what_its_receiver_holds() {
    for vector in VECTORS {
        assert_eq!(*secret(&vector).shown(), vector.shown);
        let timestamp = vector.timestamp.to_string();
        let headers = (vector.id, timestamp.as_str(), vector.signature);
        for verifier in [
            Verifier::parse([vector.shown]).unwrap(),
            Verifier::new(&[secret(&vector)]),
        ] {
            let payload = vector.payload.as_bytes();
            assert_eq!(
                verifier.verify(headers, payload, vector.timestamp, DEFAULT_TOLERANCE),
                Ok(())
            );
        }
    }
}

#[test]
fn several_secrets_give_their_signatures_in_order_separated_by_a_space() {
    let signer = Signer::new(&[secret(&V3), secret(&V1)]);
    let made = signer.sign(V1.id, V1.timestamp, V1.payload.as_bytes());
    assert_eq!(made, format!("{} {}", V3.signature, V1.signature));
}

#[test]
fn a_signature_that_fits_is_appended_without_allocating() {
    let signer = Signer::new(&[secret(&V1), secret(&V3)]);
    let mut out = String::from("before:");
    out.reserve_exact(V1.signature.len() + " ".len() + V3.signature.len());
    let (address, capacity) = (out.as_ptr(), out.capacity());
    signer.sign_into(&mut out, V1.id, V1.timestamp, V1.payload.as_bytes());
    assert_eq!(out, format!("before:{} {}", V1.signature, V3.signature));
    assert_eq!((out.as_ptr(), out.capacity()), (address, capacity));
}

#[test]
fn an_empty_payload_is_signed_and_verifies() {
    let signature = Signer::new(&[secret(&V1)]).sign("msg_1", 7, b"");
    let verifier = Verifier::new(&[secret(&V1)]);
    assert_eq!(
        verifier.verify(
            ("msg_1", "7", signature.as_str()),
            b"",
            7,
            DEFAULT_TOLERANCE
        ),
        Ok(())
    );
}

#[test]
fn no_secrets_give_no_signature() {
    assert_eq!(Signer::new(&[]).sign("msg_1", 7, b"{}"), "");
}
