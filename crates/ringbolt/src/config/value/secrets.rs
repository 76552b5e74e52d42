//! Values that are never shown.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::lists::parts;
use super::{Secrecy, Value};

/// The shortest token that is taken: what is shorter can be guessed.
const SHORTEST: usize = 16;

/// A token.
#[derive(Debug, Clone)]
pub(crate) struct Secret(SecretString);

impl Secret {
    /// Its text, to be compared or sent, never shown.
    pub(crate) fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Value for Secret {
    const FORM: &'static str = "text of 16 characters or more, without spaces";
    const SECRET: Secrecy = Secrecy::Whole;

    fn parse(text: &str) -> Result<Self, String> {
        if text.len() < SHORTEST {
            return Err(format!("it has only {} characters", text.len()));
        }
        // It travels in a header, where nothing else would arrive as it was written.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has spaces or characters outside ASCII".into());
        }
        Ok(Self(text.into()))
    }
}

/// Keys that encrypt secrets at rest; the first encrypts.
#[derive(Clone)]
pub(crate) struct EncryptionKeys(Vec<Zeroizing<[u8; 32]>>);

impl EncryptionKeys {
    /// The keys, the one that encrypts first; there is at least one.
    pub(crate) fn reveal(&self) -> &[Zeroizing<[u8; 32]>] {
        &self.0
    }
}

impl fmt::Debug for EncryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKeys({})", self.0.len())
    }
}

impl Value for EncryptionKeys {
    const FORM: &'static str =
        "comma-separated keys, each 32 bytes in base64 (`openssl rand -base64 32`)";
    const SECRET: Secrecy = Secrecy::Whole;

    fn parse(text: &str) -> Result<Self, String> {
        let key = |(at, part): (usize, &str)| {
            let number = at + 1;
            let bytes = STANDARD.decode(part).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| format!("key {number} is no base64"))?;
            let key: [u8; 32] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| format!("key {number} has {} bytes instead of 32", bytes.len()))?;
            Ok(Zeroizing::new(key))
        };
        let keys = parts(text)
            .enumerate()
            .map(key)
            .collect::<Result<Vec<_>, String>>()?;
        if keys.is_empty() {
            Err("there is no key in it".into())
        } else {
            Ok(Self(keys))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_secret_is_not_repeated() {
        assert_eq!(
            Secret::parse("short").unwrap_err(),
            "it has only 5 characters"
        );
        assert!(
            !Secret::parse("hunter2 hunter2 hunter2")
                .unwrap_err()
                .contains("hunter2")
        );
        assert!(
            !EncryptionKeys::parse("c2hvcnQ=")
                .unwrap_err()
                .contains("c2hvcnQ=")
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = Secret::parse("correct-horse-battery").unwrap();
        assert!(!format!("{secret:?}").contains("horse"));
        assert_eq!(secret.reveal(), "correct-horse-battery");
    }

    #[test]
    fn keys_are_32_bytes_and_the_first_comes_first() {
        let (one, two) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
        let keys = EncryptionKeys::parse(&format!("{one},{two}")).unwrap();
        assert_eq!(keys.reveal()[0][..], [1; 32]);
        assert_eq!(keys.reveal().len(), 2);
        assert!(
            EncryptionKeys::parse(&STANDARD.encode([1; 31]))
                .unwrap_err()
                .contains("31 bytes")
        );
        assert!(EncryptionKeys::parse(",").is_err());
    }
}
