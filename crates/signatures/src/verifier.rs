//! Verifying: keys prepared once, and the headers and payload of a request judged by them.

use std::fmt;
use std::time::Duration;

use crate::content::Content;
use crate::error::{SecretError, VerifyError};
use crate::headers::SignedHeaders;
use crate::keys::{MacKey, PUBLIC_PREFIX, PublicKey, V1, V1A};
use crate::secret::{Material, Secret};

/// How far a timestamp may lie from the receiver's clock, to either side, unless one has a
/// reason for another: what the libraries of Standard Webhooks use.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);

/// Signatures that are looked at in one header. A sender needs one for each secret in force;
/// without a limit a long header would buy an Ed25519 check for every hundred bytes.
const MOST_SIGNATURES: usize = 32;

/// Keys made ready to verify.
#[derive(Clone)]
pub struct Verifier(Vec<Key>);

#[derive(Clone)]
enum Key {
    V1(MacKey),
    V1a(Box<PublicKey>),
}

impl Verifier {
    /// Trusts what these secrets sign.
    #[must_use]
    pub fn new(secrets: &[Secret]) -> Self {
        Self(secrets.iter().map(Key::of).collect())
    }

    /// Trusts the keys of these texts: `whsec_…`, `whsk_…` or `whpk_…`.
    ///
    /// # Errors
    /// That of the first text that is none.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, SecretError> {
        texts
            .into_iter()
            .map(|text| Key::parse(text.as_ref()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Trusts this public key too.
    #[must_use]
    pub fn trusting(mut self, key: PublicKey) -> Self {
        self.0.push(Key::V1a(Box::new(key)));
        self
    }

    /// Accepts a message if a trusted key has signed it, lately.
    ///
    /// `headers` are [`SignedHeaders`] or `(id, timestamp, signature)`; `payload` is the body
    /// exactly as it came; `now` is the receiver's clock in Unix seconds. A timestamp may differ
    /// from it by the whole seconds of `tolerance` and no more, see [`DEFAULT_TOLERANCE`].
    ///
    /// # Errors
    /// The first that applies of [`VerifyError`], in the order in which it lists them.
    pub fn verify<'h>(
        &self,
        headers: impl Into<SignedHeaders<'h>>,
        payload: &[u8],
        now: i64,
        tolerance: Duration,
    ) -> Result<(), VerifyError> {
        let [id, timestamp, signatures] = headers.into().complete()?;
        check_age(parse_timestamp(timestamp)?, now, tolerance)?;

        let given = Given::parse(signatures);
        if given.v1.is_empty() && given.v1a.is_empty() {
            return Err(VerifyError::NoKnownVersion);
        }
        let content = Content::new(id, timestamp, payload);
        let matched = self.0.iter().any(|key| key.matches(&content, &given));
        matched.then_some(()).ok_or(VerifyError::NoMatch)
    }
}

fn parse_timestamp(text: &str) -> Result<i64, VerifyError> {
    // `i64::from_str` takes a plus sign, which no sender writes.
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VerifyError::TimestampNotInteger);
    }
    text.parse().map_err(|_| VerifyError::TimestampNotInteger)
}

fn check_age(timestamp: i64, now: i64, tolerance: Duration) -> Result<(), VerifyError> {
    let by_seconds = now.abs_diff(timestamp).saturating_sub(tolerance.as_secs());
    match by_seconds {
        0 => Ok(()),
        _ if timestamp < now => Err(VerifyError::TooOld { by_seconds }),
        _ => Err(VerifyError::TooNew { by_seconds }),
    }
}

/// The signatures of a header by version, without those of versions that are not known.
#[derive(Default)]
struct Given<'h> {
    v1: Vec<&'h str>,
    v1a: Vec<&'h str>,
}

impl<'h> Given<'h> {
    fn parse(header: &'h str) -> Self {
        let mut given = Self::default();
        let known = header.split(' ').filter_map(|token| {
            token
                .strip_prefix(V1)
                .map(|base64| (true, base64))
                .or_else(|| token.strip_prefix(V1A).map(|base64| (false, base64)))
        });
        for (symmetric, base64) in known.take(MOST_SIGNATURES) {
            let list = if symmetric {
                &mut given.v1
            } else {
                &mut given.v1a
            };
            list.push(base64);
        }
        given
    }
}

impl Key {
    fn of(secret: &Secret) -> Self {
        match secret.material() {
            Material::Symmetric(bytes) => Self::V1(MacKey::new(bytes)),
            Material::Ed25519(key) => Self::V1a(Box::new(PublicKey::of(key))),
        }
    }

    fn parse(text: &str) -> Result<Self, SecretError> {
        if text.starts_with(PUBLIC_PREFIX) {
            PublicKey::parse(text).map(|key| Self::V1a(Box::new(key)))
        } else {
            Secret::parse(text).map(|secret| Self::of(&secret))
        }
    }

    fn matches(&self, content: &Content<'_>, given: &Given<'_>) -> bool {
        match self {
            Self::V1(key) => !given.v1.is_empty() && key.matches(content, given.v1.iter().copied()),
            Self::V1a(key) => key.matches(content, given.v1a.iter().copied()),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({} keys)", self.0.len())
    }
}
