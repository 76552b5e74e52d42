//! What can be wrong with the text of a key, and with a signed message.

use thiserror::Error;

/// Why a text is not a key that this crate can use. No variant carries any part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The text starts with none of the prefixes that are accepted here.
    #[error("a secret starts with whsec_ or whsk_, a public key with whpk_")]
    UnknownPrefix,
    /// A `whpk_` text stands where a secret is needed; it can verify but not sign.
    #[error("whpk_ marks a public key, which cannot sign: give the whsk_ or whsec_ secret")]
    PublicKey,
    /// A `whsec_` or `whsk_` text stands where a public key is needed.
    #[error("this is a secret, not a public key: give the whpk_ text")]
    NotPublic,
    /// What follows the prefix is not standard base64.
    #[error("what follows the prefix is not base64")]
    NotBase64,
    /// A symmetric secret has fewer than 24 or more than 75 bytes.
    #[error("a symmetric secret is 24 to 75 bytes long, this one is {found}")]
    SymmetricLength {
        /// Length in bytes, decoded.
        found: usize,
    },
    /// An Ed25519 key pair does not have 64 bytes.
    #[error("an Ed25519 key pair is 64 bytes long, this one is {found}")]
    KeyPairLength {
        /// Length in bytes, decoded.
        found: usize,
    },
    /// The second half of an Ed25519 key pair is not the public key of its first half.
    #[error("the halves of this Ed25519 key pair do not belong together")]
    KeyPairMismatch,
    /// An Ed25519 public key does not have 32 bytes.
    #[error("an Ed25519 public key is 32 bytes long, this one is {found}")]
    PublicKeyLength {
        /// Length in bytes, decoded.
        found: usize,
    },
    /// The 32 bytes are no point of the curve, or one for which signatures prove nothing.
    #[error("this is not a usable Ed25519 public key")]
    PublicKeyInvalid,
}

/// Why a message was not accepted as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A header is absent or empty.
    #[error("the header {0} is missing")]
    MissingHeader(
        /// The header's name, in lower case.
        &'static str,
    ),
    /// The timestamp is not a whole number of seconds.
    #[error("the timestamp is not an integer")]
    TimestampNotInteger,
    /// The timestamp lies further in the past than the tolerance allows.
    #[error("the timestamp is too old by {by_seconds} s")]
    TooOld {
        /// Seconds beyond the tolerance.
        by_seconds: u64,
    },
    /// The timestamp lies further in the future than the tolerance allows.
    #[error("the timestamp is too new by {by_seconds} s")]
    TooNew {
        /// Seconds beyond the tolerance.
        by_seconds: u64,
    },
    /// The signature header lists no `v1` and no `v1a` signature.
    #[error("no signature of a known version (v1, v1a)")]
    NoKnownVersion,
    /// Signatures of a known version are there, and none was made with a key that is trusted.
    #[error("no signature matches")]
    NoMatch,
}
