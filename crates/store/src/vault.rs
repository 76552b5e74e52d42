//! Encryption at rest: what must not be read from a stolen database file.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::StoreError;

const VERSION: u8 = 1;
const PRINT: usize = 4;
const NONCE: usize = 24;
const HEAD: usize = 1 + PRINT + NONCE;

/// Where a sealed value stands. It is sealed to its place, so that a value copied from one row to
/// another does not open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The table and column, as `table.column`.
    pub(crate) column: &'static str,
    /// The row's key.
    pub(crate) row: &'a [u8],
}

impl Place<'_> {
    fn bound(self) -> Vec<u8> {
        [self.column.as_bytes(), b"\0", self.row].concat()
    }
}

struct Key {
    print: [u8; PRINT],
    cipher: XChaCha20Poly1305,
}

/// Seals values with XChaCha20-Poly1305 under the first of its keys, and opens what any of them sealed.
///
/// A sealed value is a version byte, four bytes that tell which key, the nonce, and the ciphertext.
pub(crate) struct Vault {
    keys: Vec<Key>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("keys", &self.keys.len())
            .finish()
    }
}

impl Vault {
    /// A vault of these keys; `None` if there are none.
    pub(crate) fn new(keys: &[[u8; 32]]) -> Option<Self> {
        let keys: Vec<Key> = keys.iter().map(key).collect();
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// Seals `plain` to its place under the first key.
    ///
    /// # Errors
    /// `Unavailable` if the operating system gives no randomness.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| StoreError::Unavailable(format!("no randomness: {error}")))?;
        let payload = Payload {
            msg: plain,
            aad: &place.bound(),
        };
        let text = self.keys[0]
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| StoreError::Unavailable("a value is too large to encrypt".into()))?;
        let print = &self.keys[0].print;
        Ok([&[VERSION][..], print, &nonce, &text].concat())
    }

    /// Opens what was sealed to this place.
    ///
    /// # Errors
    /// `Unreadable` if none of the keys sealed it, or it was altered or moved.
    pub(crate) fn open(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (print, nonce, text) = split(sealed).ok_or_else(|| unreadable(place, "malformed"))?;
        let bound = place.bound();
        let mut matching = self.keys.iter().filter(|key| key.print == print).peekable();
        if matching.peek().is_none() {
            return Err(unreadable(place, "encrypted with another key"));
        }
        matching
            .find_map(|key| {
                let payload = Payload {
                    msg: text,
                    aad: &bound,
                };
                key.cipher.decrypt(&XNonce::from(nonce), payload).ok()
            })
            .map(Zeroizing::new)
            .ok_or_else(|| unreadable(place, "altered"))
    }

    /// Whether one of the keys says it sealed this.
    pub(crate) fn knows(&self, sealed: &[u8]) -> bool {
        split(sealed).is_some_and(|(print, ..)| self.keys.iter().any(|key| key.print == print))
    }

    /// Whether the first key sealed this.
    pub(crate) fn is_current(&self, sealed: &[u8]) -> bool {
        split(sealed).is_some_and(|(print, ..)| self.keys[0].print == print)
    }

    /// What every value that the first key sealed begins with.
    pub(crate) fn current_head(&self) -> [u8; 1 + PRINT] {
        head(&self.keys[0])
    }

    /// What every value begins with that this key sealed.
    pub(crate) fn head_of(bytes: &[u8; 32]) -> [u8; 1 + PRINT] {
        head(&key(bytes))
    }
}

fn head(key: &Key) -> [u8; 1 + PRINT] {
    let [a, b, c, d] = key.print;
    [VERSION, a, b, c, d]
}

fn key(bytes: &[u8; 32]) -> Key {
    let digest = Sha256::new()
        .chain_update(b"ringbolt key\0")
        .chain_update(bytes)
        .finalize();
    let mut print = [0; PRINT];
    print.copy_from_slice(&digest[..PRINT]);
    Key {
        print,
        cipher: XChaCha20Poly1305::new(bytes.into()),
    }
}

fn split(sealed: &[u8]) -> Option<([u8; PRINT], [u8; NONCE], &[u8])> {
    let (head, text) = sealed.split_at_checked(HEAD)?;
    let print = head[1..=PRINT].try_into().ok()?;
    let nonce = head[1 + PRINT..].try_into().ok()?;
    (head[0] == VERSION).then_some((print, nonce, text))
}

fn unreadable(place: Place<'_>, why: &str) -> StoreError {
    StoreError::Unreadable(format!("{} is {why}", place.column))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place {
        column: "a.b",
        row: &[1],
    };

    #[test]
    fn what_is_sealed_opens_at_its_place_only() {
        let vault = Vault::new(&[[7; 32]]).unwrap();
        let sealed = vault.seal(HERE, b"secret").unwrap();
        assert_eq!(**vault.open(HERE, &sealed).unwrap(), *b"secret");
        let elsewhere = Place { row: &[2], ..HERE };
        assert!(matches!(
            vault.open(elsewhere, &sealed),
            Err(StoreError::Unreadable(_))
        ));
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
    }

    #[test]
    fn an_older_key_still_opens_and_another_does_not() {
        let sealed = Vault::new(&[[7; 32]]).unwrap().seal(HERE, b"x").unwrap();
        let rotated = Vault::new(&[[8; 32], [7; 32]]).unwrap();
        assert_eq!(**rotated.open(HERE, &sealed).unwrap(), *b"x");
        assert!(!rotated.is_current(&sealed));
        let anew = rotated.seal(HERE, b"x").unwrap();
        assert!(rotated.is_current(&anew) && anew.starts_with(&rotated.current_head()));
        let other = Vault::new(&[[9; 32]]).unwrap();
        assert!(!other.knows(&sealed));
        assert!(matches!(
            other.open(HERE, &sealed),
            Err(StoreError::Unreadable(_))
        ));
    }

    #[test]
    fn an_altered_value_does_not_open() {
        let vault = Vault::new(&[[7; 32]]).unwrap();
        let mut sealed = vault.seal(HERE, b"x").unwrap();
        *sealed.last_mut().unwrap() ^= 1;
        assert!(matches!(
            vault.open(HERE, &sealed),
            Err(StoreError::Unreadable(_))
        ));
        assert!(matches!(
            vault.open(HERE, &sealed[..3]),
            Err(StoreError::Unreadable(_))
        ));
    }
}
