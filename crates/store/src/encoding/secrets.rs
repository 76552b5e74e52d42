//! Secrets and headers of endpoints, sealed to their rows.

use std::borrow::Cow;

use ringbolt_model::{CustomHeaders, EndpointId, EndpointSecrets, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::json;
use crate::StoreError;
use crate::vault::{Place, Vault};

/// The plain form of an endpoint's secrets; it borrows from memory that is wiped.
#[derive(Serialize, Deserialize)]
struct PlainSecrets<'a> {
    #[serde(borrow)]
    current: Cow<'a, str>,
    #[serde(borrow)]
    old: Vec<(Cow<'a, str>, i64)>,
}

/// Seals an endpoint's secrets to its row.
pub(crate) fn seal_secrets(
    vault: &Vault,
    endpoint: EndpointId,
    secrets: &EndpointSecrets,
) -> Result<Vec<u8>, StoreError> {
    let current = secrets.current.expose();
    let old: Vec<_> = secrets
        .old
        .iter()
        .map(|(secret, until)| (secret.expose(), until))
        .collect();
    let plain = PlainSecrets {
        current: Cow::Borrowed(&current),
        old: old
            .iter()
            .map(|(text, until)| (Cow::Borrowed(text.as_str()), until.as_micros()))
            .collect(),
    };
    let text = Zeroizing::new(json(&plain)?);
    vault.seal(
        secrets_place(&endpoint.raw().to_be_bytes()),
        text.as_bytes(),
    )
}

/// Opens an endpoint's secrets.
pub(crate) fn open_secrets(
    vault: &Vault,
    endpoint: EndpointId,
    sealed: &[u8],
) -> Result<EndpointSecrets, StoreError> {
    let text = vault.open(secrets_place(&endpoint.raw().to_be_bytes()), sealed)?;
    let malformed = || StoreError::Unreadable("the secrets of an endpoint".into());
    let plain: PlainSecrets<'_> = serde_json::from_slice(&text).map_err(|_| malformed())?;
    let secret = |text: &str| Secret::parse(text).map_err(|_| malformed());
    let mut old = Vec::with_capacity(plain.old.len());
    for (text, until) in &plain.old {
        old.push((secret(text)?, Timestamp::from_micros(*until)));
    }
    Ok(EndpointSecrets {
        current: secret(&plain.current)?,
        old,
    })
}

/// Seals an endpoint's headers to its row.
pub(crate) fn seal_headers(
    vault: &Vault,
    endpoint: EndpointId,
    headers: &CustomHeaders,
) -> Result<Vec<u8>, StoreError> {
    let text = Zeroizing::new(json(&headers.0)?);
    vault.seal(
        headers_place(&endpoint.raw().to_be_bytes()),
        text.as_bytes(),
    )
}

/// Opens an endpoint's headers.
pub(crate) fn open_headers(
    vault: &Vault,
    endpoint: EndpointId,
    sealed: &[u8],
) -> Result<CustomHeaders, StoreError> {
    let text = vault.open(headers_place(&endpoint.raw().to_be_bytes()), sealed)?;
    serde_json::from_slice(&text)
        .map(CustomHeaders)
        .map_err(|_| StoreError::Unreadable("the headers of an endpoint".into()))
}

/// Where an endpoint's secrets are sealed to; `row` is its id, big-endian.
pub(crate) const fn secrets_place(row: &[u8; 8]) -> Place<'_> {
    Place {
        column: "endpoint.secrets",
        row,
    }
}

/// Where an endpoint's headers are sealed to; `row` is its id, big-endian.
pub(crate) const fn headers_place(row: &[u8; 8]) -> Place<'_> {
    Place {
        column: "endpoint.headers",
        row,
    }
}
