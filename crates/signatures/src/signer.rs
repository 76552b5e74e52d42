//! Signing: secrets prepared once, and a signature list made for each attempt.

use std::fmt;
use std::io::Write as _;

use ed25519_dalek::SigningKey;

use crate::content::Content;
use crate::keys::{MacKey, V1_LENGTH, V1A_LENGTH, sign_ed25519};
use crate::secret::{Material, Secret};

/// Secrets made ready to sign. Preparing does the work that does not depend on the message, so
/// keep a signer for as long as its secrets are in force.
#[derive(Clone)]
pub struct Signer {
    keys: Box<[Key]>,
    length: usize,
}

#[derive(Clone)]
enum Key {
    V1(MacKey),
    V1a(Box<SigningKey>),
}

impl Signer {
    /// Prepares the secrets. Signatures come in their order: put the current secret first, then
    /// those that are still in their grace period.
    #[must_use]
    pub fn new(secrets: &[Secret]) -> Self {
        let keys: Box<[Key]> = secrets.iter().map(Key::of).collect();
        let signatures: usize = keys.iter().map(Key::signature_length).sum();
        let length = signatures + keys.len().saturating_sub(1);
        Self { keys, length }
    }

    /// The value of the signature header: one signature for each secret, separated by spaces;
    /// empty if there are no secrets.
    ///
    /// `timestamp` is the time of the attempt in Unix seconds, the same as in its header, and
    /// `payload` is exactly what is sent. The `id` should hold no full stop, because that is what
    /// separates it from the timestamp in what is signed.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, payload: &[u8]) -> String {
        let mut out = String::with_capacity(self.length);
        self.sign_into(&mut out, id, timestamp, payload);
        out
    }

    /// Appends to `out` what [`Signer::sign`] gives, without an allocation if it fits.
    pub fn sign_into(&self, out: &mut String, id: &str, timestamp: i64, payload: &[u8]) {
        out.reserve(self.length);
        let mut buffer = [0; LONGEST_DECIMAL];
        let content = Content::new(id, decimal(timestamp, &mut buffer), payload);
        for (position, key) in self.keys.iter().enumerate() {
            if position > 0 {
                out.push(' ');
            }
            key.sign(&content, out);
        }
    }
}

impl Key {
    fn of(secret: &Secret) -> Self {
        match secret.material() {
            Material::Symmetric(bytes) => Self::V1(MacKey::new(bytes)),
            Material::Ed25519(key) => Self::V1a(key.clone()),
        }
    }

    fn signature_length(&self) -> usize {
        match self {
            Self::V1(_) => V1_LENGTH,
            Self::V1a(_) => V1A_LENGTH,
        }
    }

    fn sign(&self, content: &Content<'_>, out: &mut String) {
        match self {
            Self::V1(key) => key.sign(content, out),
            Self::V1a(key) => sign_ed25519(key, content, out),
        }
    }
}

const LONGEST_DECIMAL: usize = "-9223372036854775808".len();

/// The number in decimal, written into `buffer` to spare the allocation.
fn decimal(number: i64, buffer: &mut [u8; LONGEST_DECIMAL]) -> &str {
    let mut rest = buffer.as_mut_slice();
    write!(rest, "{number}").expect("the buffer holds the longest number");
    let length = LONGEST_DECIMAL - rest.len();
    std::str::from_utf8(&buffer[..length]).expect("digits are ASCII")
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} secrets)", self.keys.len())
    }
}
