//! The headers that carry a signature: their names, and finding them in a request.
//!
//! Two families are in use with the same meaning: `webhook-*` (Standard Webhooks 1.0.0) and `svix-*`.

use crate::error::VerifyError;

/// Identifies the message; the same on every try. Standard Webhooks 1.0.0.
pub const WEBHOOK_ID: &str = "webhook-id";
/// The time of the attempt in Unix seconds. Standard Webhooks 1.0.0.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// Space-separated signatures, `VERSION,BASE64` each. Standard Webhooks 1.0.0.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// [`WEBHOOK_ID`] as Svix names it.
pub const SVIX_ID: &str = "svix-id";
/// [`WEBHOOK_TIMESTAMP`] as Svix names it.
pub const SVIX_TIMESTAMP: &str = "svix-timestamp";
/// [`WEBHOOK_SIGNATURE`] as Svix names it.
pub const SVIX_SIGNATURE: &str = "svix-signature";

type Family = [&'static str; 3];
const WEBHOOK: Family = [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE];
const SVIX: Family = [SVIX_ID, SVIX_TIMESTAMP, SVIX_SIGNATURE];

/// The three header values that a signed request carries, as far as they are there.
///
/// Made from a request by [`SignedHeaders::find`], or from `(id, timestamp, signature)`.
#[derive(Clone, Copy, Debug)]
pub struct SignedHeaders<'a> {
    names: Family,
    values: [Option<&'a str>; 3],
}

impl<'a> SignedHeaders<'a> {
    /// Looks the headers up. `get` is asked for a name in lower case and gives that header's
    /// value; a value that is not text counts as absent.
    ///
    /// One family is used whole, never id of one with signature of the other: `webhook-*` where
    /// it is complete, else `svix-*` where that is complete. If neither is, the one of which more
    /// is there decides what [`VerifyError::MissingHeader`] names.
    pub fn find(get: impl Fn(&str) -> Option<&'a str>) -> Self {
        let [webhook, svix] = [WEBHOOK, SVIX].map(|names| Self {
            names,
            values: names.map(|name| get(name).filter(|value| !value.is_empty())),
        });
        if webhook.count() >= svix.count() {
            webhook
        } else {
            svix
        }
    }

    fn count(&self) -> usize {
        self.values.iter().flatten().count()
    }

    /// Id, timestamp and signature, or which one is missing.
    pub(crate) fn complete(&self) -> Result<[&'a str; 3], VerifyError> {
        let value = |i: usize| self.values[i].ok_or(VerifyError::MissingHeader(self.names[i]));
        Ok([value(0)?, value(1)?, value(2)?])
    }
}

impl<'a> From<(&'a str, &'a str, &'a str)> for SignedHeaders<'a> {
    /// Takes `(id, timestamp, signature)`; an empty one counts as missing.
    fn from((id, timestamp, signature): (&'a str, &'a str, &'a str)) -> Self {
        Self {
            names: WEBHOOK,
            values: [id, timestamp, signature].map(|value| Some(value).filter(|v| !v.is_empty())),
        }
    }
}
