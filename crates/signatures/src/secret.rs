//! A secret: made, read from text, written as text, and wiped when it goes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::SecretError;
use crate::keys::{KEY_PAIR_PREFIX, PUBLIC_PREFIX, PublicKey, SYMMETRIC_PREFIX, decode};

const SYMMETRIC_BYTES: std::ops::RangeInclusive<usize> = 24..=75;
const LONGEST_BASE64: usize = SYMMETRIC_BYTES.end().div_ceil(3) * 4;

/// What a sender signs with: a symmetric secret (`whsec_`) or an Ed25519 key pair (`whsk_`).
///
/// Its bytes are wiped on drop and compared in constant time, and `Debug` does not show them.
#[derive(Clone)]
pub struct Secret(Material);

// Both kinds live on the heap, so that moving a secret leaves no copy of it behind.
#[derive(Clone)]
pub(crate) enum Material {
    Symmetric(Zeroizing<Vec<u8>>),
    Ed25519(Box<SigningKey>),
}

impl Secret {
    /// Reads `whsec_` with base64 of 24 to 75 bytes, or `whsk_` with base64 of a 64-byte key pair
    /// (the seed followed by the public key). Base64 without a prefix is refused.
    ///
    /// # Errors
    /// A [`SecretError`] that says what is wrong without repeating any of the text.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if let Some(base64) = text.strip_prefix(SYMMETRIC_PREFIX) {
            symmetric(decode(base64)?)
        } else if let Some(base64) = text.strip_prefix(KEY_PAIR_PREFIX) {
            key_pair(&decode(base64)?)
        } else if text.starts_with(PUBLIC_PREFIX) {
            Err(SecretError::PublicKey)
        } else {
            Err(SecretError::UnknownPrefix)
        }
    }

    /// A symmetric secret of 24 random bytes.
    #[must_use]
    pub fn symmetric_from(mut random: [u8; 24]) -> Self {
        let bytes = Zeroizing::new(random.to_vec());
        random.zeroize();
        Self(Material::Symmetric(bytes))
    }

    /// The Ed25519 key pair of a random seed.
    #[must_use]
    pub fn ed25519_from(mut seed: [u8; 32]) -> Self {
        let key = Box::new(SigningKey::from_bytes(&seed));
        seed.zeroize();
        Self(Material::Ed25519(key))
    }

    /// The whole secret as text: what is stored, and what a receiver of `v1` needs.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        match &self.0 {
            Material::Symmetric(bytes) => armour(SYMMETRIC_PREFIX, bytes),
            Material::Ed25519(key) => armour(
                KEY_PAIR_PREFIX,
                Zeroizing::new(key.to_keypair_bytes()).as_slice(),
            ),
        }
    }

    /// The public half as `whpk_…`; `None` of a symmetric secret, which has none.
    #[must_use]
    pub fn public(&self) -> Option<String> {
        match &self.0 {
            Material::Symmetric(_) => None,
            Material::Ed25519(key) => Some(PublicKey::of(key).to_string()),
        }
    }

    /// What whoever operates the receiver is shown, and can verify with: `whsec_…` or `whpk_…`.
    #[must_use]
    pub fn shown(&self) -> Zeroizing<String> {
        self.public().map_or_else(|| self.expose(), Zeroizing::new)
    }

    pub(crate) fn material(&self) -> &Material {
        &self.0
    }
}

fn symmetric(bytes: Zeroizing<Vec<u8>>) -> Result<Secret, SecretError> {
    if SYMMETRIC_BYTES.contains(&bytes.len()) {
        Ok(Secret(Material::Symmetric(bytes)))
    } else {
        Err(SecretError::SymmetricLength { found: bytes.len() })
    }
}

fn key_pair(bytes: &[u8]) -> Result<Secret, SecretError> {
    let pair = bytes
        .try_into()
        .map_err(|_| SecretError::KeyPairLength { found: bytes.len() })?;
    let key = SigningKey::from_keypair_bytes(pair).map_err(|_| SecretError::KeyPairMismatch)?;
    Ok(Secret(Material::Ed25519(Box::new(key))))
}

/// Prefix and base64, allocated once and encoded through a buffer that is wiped.
fn armour(prefix: &str, bytes: &[u8]) -> Zeroizing<String> {
    let mut buffer = Zeroizing::new([0; LONGEST_BASE64]);
    let length = STANDARD
        .encode_slice(bytes, buffer.as_mut_slice())
        .expect("the buffer holds the longest secret");
    let base64 = std::str::from_utf8(&buffer[..length]).expect("base64 is ASCII");
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + length));
    text.push_str(prefix);
    text.push_str(base64);
    text
}

impl PartialEq for Secret {
    /// Takes a time that depends on the kinds and lengths only.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Material::Symmetric(a), Material::Symmetric(b)) => a.ct_eq(b).into(),
            (Material::Ed25519(a), Material::Ed25519(b)) => a.as_bytes().ct_eq(b.as_bytes()).into(),
            _ => false,
        }
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    /// The kind, and the public key where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Material::Symmetric(_) => f.write_str("Secret(whsec_…)"),
            Material::Ed25519(key) => write!(f, "Secret(whsk_… of {})", PublicKey::of(key)),
        }
    }
}
