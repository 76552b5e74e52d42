#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod content;
mod error;
pub mod headers;
mod keys;
mod secret;
mod signer;
mod verifier;

pub use error::{SecretError, VerifyError};
pub use headers::SignedHeaders;
pub use keys::PublicKey;
pub use secret::Secret;
pub use signer::Signer;
pub use verifier::{DEFAULT_TOLERANCE, Verifier};
