//! The two kinds of key, prepared for use, and the two versions of signature that they make.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT};
use ed25519_dalek::ed25519::signature::{MultipartSigner as _, MultipartVerifier as _};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::content::Content;
use crate::error::SecretError;

pub(crate) const SYMMETRIC_PREFIX: &str = "whsec_";
pub(crate) const KEY_PAIR_PREFIX: &str = "whsk_";
pub(crate) const PUBLIC_PREFIX: &str = "whpk_";

/// The version token and comma before a symmetric signature.
pub(crate) const V1: &str = "v1,";
/// The version token and comma before an Ed25519 signature.
pub(crate) const V1A: &str = "v1a,";

const MAC_BASE64: usize = 44;
const ED25519_BASE64: usize = 88;

/// Decodes what follows a prefix; the buffer is allocated once, so wiping it wipes all of it.
pub(crate) fn decode(base64: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    STANDARD_PAD_INDIFFERENT
        .decode(base64)
        .map(Zeroizing::new)
        .map_err(|_| SecretError::NotBase64)
}

/// HMAC-SHA256 whose key schedule is done: each message starts from a clone.
#[derive(Clone)]
pub(crate) struct MacKey(Hmac<Sha256>);

impl MacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    fn base64(&self, content: &Content<'_>) -> [u8; MAC_BASE64] {
        let mut mac = self.0.clone();
        for piece in content.pieces() {
            mac.update(piece);
        }
        let mut text = [0; MAC_BASE64];
        STANDARD
            .encode_slice(mac.finalize().into_bytes(), &mut text)
            .expect("32 bytes are 44 characters of base64");
        text
    }

    /// Appends `v1,` and the signature.
    pub(crate) fn sign(&self, content: &Content<'_>, out: &mut String) {
        out.push_str(V1);
        push_ascii(out, &self.base64(content));
    }

    /// Whether one of the texts is this key's signature.
    pub(crate) fn matches<'s>(
        &self,
        content: &Content<'_>,
        mut signatures: impl Iterator<Item = &'s str>,
    ) -> bool {
        // Comparing the text and not what it decodes to leaves one spelling for each signature.
        let expected = self.base64(content);
        signatures.any(|given| given.as_bytes().ct_eq(&expected).into())
    }
}

/// Appends `v1a,` and the Ed25519 signature.
pub(crate) fn sign_ed25519(key: &SigningKey, content: &Content<'_>, out: &mut String) {
    let signature = key.multipart_sign(content.pieces());
    let mut text = [0; ED25519_BASE64];
    STANDARD
        .encode_slice(signature.to_bytes(), &mut text)
        .expect("64 bytes are 88 characters of base64");
    out.push_str(V1A);
    push_ascii(out, &text);
}

/// Characters that [`sign_ed25519`] appends.
pub(crate) const V1A_LENGTH: usize = V1A.len() + ED25519_BASE64;
/// Characters that [`MacKey::sign`] appends.
pub(crate) const V1_LENGTH: usize = V1.len() + MAC_BASE64;

fn push_ascii(out: &mut String, base64: &[u8]) {
    out.push_str(std::str::from_utf8(base64).expect("base64 is ASCII"));
}

/// An Ed25519 public key: what a receiver holds of a sender that signs with a `whsk_` secret.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads `whpk_` and the base64 of 32 bytes.
    ///
    /// # Errors
    /// Any [`SecretError`] that speaks of public keys, [`SecretError::UnknownPrefix`] and
    /// [`SecretError::NotBase64`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let Some(base64) = text.strip_prefix(PUBLIC_PREFIX) else {
            let secret = text.starts_with(SYMMETRIC_PREFIX) || text.starts_with(KEY_PAIR_PREFIX);
            return Err(if secret {
                SecretError::NotPublic
            } else {
                SecretError::UnknownPrefix
            });
        };
        let bytes = decode(base64)?;
        let bytes = bytes
            .as_slice()
            .try_into()
            .map_err(|_| SecretError::PublicKeyLength { found: bytes.len() })?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| SecretError::PublicKeyInvalid)?;
        // For a weak key there are signatures that hold for almost any message.
        if key.is_weak() {
            Err(SecretError::PublicKeyInvalid)
        } else {
            Ok(Self(key))
        }
    }

    pub(crate) fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key())
    }

    /// Whether one of the texts is a signature by this key's other half.
    pub(crate) fn matches<'s>(
        &self,
        content: &Content<'_>,
        mut signatures: impl Iterator<Item = &'s str>,
    ) -> bool {
        signatures.any(|given| {
            STANDARD
                .decode(given)
                .ok()
                .and_then(|bytes| Signature::from_slice(&bytes).ok())
                .is_some_and(|s| self.0.multipart_verify(content.pieces(), &s).is_ok())
        })
    }
}

impl fmt::Display for PublicKey {
    /// The canonical text, `whpk_…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}
