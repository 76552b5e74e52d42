//! Tokens: what they look like, and the hash by which they are known.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringbolt_model::Role;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The SHA-256 of a token; compared in constant time.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token's text.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// From the bytes that [`Self::bytes`] gave.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What is stored.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl std::hash::Hash for TokenHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A new token. Its text is shown once and kept nowhere.
pub struct NewToken {
    /// What the caller sends as `Authorization: Bearer …`.
    pub text: String,
    /// What is stored.
    pub hash: TokenHash,
}

impl NewToken {
    /// A token of 32 random bytes from the operating system.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn draw(role: Role) -> Result<Self, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        Ok(Self::from_random(role, random))
    }

    /// The token of these bytes: `rb_`, a letter for the role, and base64url. The SDKs send requests
    /// elsewhere if a token ends in a dot and a region's name; there is no dot in base64url.
    #[must_use]
    pub fn from_random(role: Role, random: [u8; 32]) -> Self {
        let letter = match role {
            Role::Admin => 'a',
            Role::Sender => 's',
            Role::Reader => 'r',
            Role::Portal => 'p',
        };
        let text = format!("rb_{letter}_{}", URL_SAFE_NO_PAD.encode(random));
        Self {
            hash: TokenHash::of(&text),
            text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_looks_like_one_of_a_region() {
        for role in [Role::Admin, Role::Sender, Role::Reader, Role::Portal] {
            for byte in 0..=255 {
                let token = NewToken::from_random(role, [byte; 32]);
                assert!(!token.text.contains('.'), "{}", token.text);
                assert_eq!(token.text.len(), 5 + 43);
            }
        }
    }

    #[test]
    fn two_tokens_differ_and_so_do_their_hashes() {
        let [one, two] = [0, 1].map(|_| NewToken::draw(Role::Admin).unwrap());
        assert_ne!(one.text, two.text);
        assert_ne!(one.hash, two.hash);
        assert_eq!(one.hash, TokenHash::of(&one.text));
    }
}
