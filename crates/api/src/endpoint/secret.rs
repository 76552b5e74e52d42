//! Signing secrets of endpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::{Caller, Input, Permission, Problem, Segments};
use ringbolt_model::endpoint::MAX_OLD_SECRETS;
use ringbolt_model::{EndpointSecrets, Timestamp};
use ringbolt_signatures::Secret;
use serde::{Deserialize, Serialize};

use crate::acts::Act;
use crate::room::Here;

/// How long an old secret stays valid unless asked otherwise, in seconds.
const GRACE: u64 = 24 * 3600;
/// The longest that it can, in seconds.
const LONGEST_GRACE: u64 = 7 * 24 * 3600;

/// A secret to be rotated.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointSecretRotateIn {
    /// The new one: `whsec_…` or `whsk_…`; made by the server if absent.
    key: Option<String>,
    /// For how long the old one signs beside it.
    #[schema(minimum = 0, maximum = 604800, default = 86400)]
    grace_period_seconds: Option<u64>,
}

/// What verifies the deliveries of an endpoint.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct EndpointSecretOut {
    /// `whsec_…`, or `whpk_…` (the public half) of an Ed25519 key pair.
    key: String,
}

impl From<&Secret> for EndpointSecretOut {
    fn from(secret: &Secret) -> Self {
        Self {
            key: secret.shown().as_str().to_owned(),
        }
    }
}

/// A new symmetric secret.
pub(super) fn draw() -> Result<Secret, Problem> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(Problem::internal)?;
    Ok(Secret::symmetric_from(random))
}

/// Get what verifies the deliveries of an endpoint.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret",
    tag = "Endpoint",
    operation_id = "v1.endpoint.get-secret",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
    ),
    responses((status = 200, description = "The key", body = EndpointSecretOut), Problems)
)]
pub(super) async fn get_secret(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
) -> Result<Json<EndpointSecretOut>, Problem> {
    let app = room.app(caller, Permission::ReadSecrets, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let destination = room.store().destination(endpoint.id).await?;
    Ok(Json((&destination.secrets.current).into()))
}

/// Replace the secret of an endpoint.
///
/// The old one signs beside the new one until its grace period has ended. The answer is the new one.
#[utoipa::path(
    post,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret/rotate",
    tag = "Endpoint",
    operation_id = "v1.endpoint.rotate-secret",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
        ("idempotency-key" = Option<String>, Header, description = "See *Idempotency*"),
    ),
    request_body = EndpointSecretRotateIn,
    responses((status = 200, description = "The new key", body = EndpointSecretOut), Problems)
)]
pub(super) async fn rotate_secret(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
    input: Input<EndpointSecretRotateIn>,
) -> Result<Json<EndpointSecretOut>, Problem> {
    let app = room.app(caller, Permission::RotateSecrets, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let (input, mut faults) = input.open();
    let key = input
        .key
        .and_then(|text| faults.check("key", Secret::parse(&text)));
    let grace = input.grace_period_seconds.unwrap_or(GRACE);
    if grace > LONGEST_GRACE {
        faults.add(
            "gracePeriodSeconds",
            format!("must be between 0 and {LONGEST_GRACE}"),
        );
    }
    faults.end()?;
    let new = key.map_or_else(draw, Ok)?;

    let (now, until) = (room.now(), room.now() + Duration::from_secs(grace));
    let fits = Arc::new(AtomicBool::new(true));
    let (verdict, wanted) = (fits.clone(), new.clone());
    let change = move |secrets: &mut EndpointSecrets| {
        verdict.store(rotate(secrets, &wanted, now, until), Relaxed);
    };
    room.store()
        .edit_secrets(endpoint.id, Box::new(change))
        .await?;
    if !fits.load(Relaxed) {
        let detail = format!("at most {MAX_OLD_SECRETS} old secrets can be valid at once");
        return Err(Problem::bad_request("limit_reached", detail));
    }
    room.handle.endpoint_changed(&endpoint);
    room.done(caller, Act::SecretRotated(&endpoint));
    Ok(Json((&new).into()))
}

/// Puts a new secret in front; says whether there was room for the old one. None of the older ones
/// outlives the one that is replaced: whoever gives no grace wants them all to end.
fn rotate(secrets: &mut EndpointSecrets, new: &Secret, now: Timestamp, until: Timestamp) -> bool {
    secrets.old.retain(|(_, end)| *end > now);
    if secrets.current == *new {
        return true;
    }
    if until <= now {
        secrets.old.clear();
        secrets.current = new.clone();
        return true;
    }
    for (_, end) in &mut secrets.old {
        *end = (*end).min(until);
    }
    if secrets.old.len() >= MAX_OLD_SECRETS {
        return false;
    }
    let old = std::mem::replace(&mut secrets.current, new.clone());
    secrets.old.insert(0, (old, until));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::symmetric_from([byte; 24])
    }

    #[test]
    fn ten_old_secrets_stay_valid_and_the_eleventh_rotation_has_to_wait() {
        let (now, later) = (Timestamp::from_seconds(1000), Timestamp::from_seconds(2000));
        let mut secrets = EndpointSecrets {
            current: secret(0),
            old: Vec::new(),
        };
        for byte in 1..=10 {
            assert!(rotate(&mut secrets, &secret(byte), now, later));
        }
        assert!(!rotate(&mut secrets, &secret(11), now, later));
        assert_eq!(secrets.valid_at(now).count(), 11);
        assert!(secrets.current == secret(10));
        assert!(
            rotate(&mut secrets, &secret(11), later, later),
            "the old ones have ended"
        );
        assert_eq!(secrets.valid_at(later).count(), 1);
    }

    #[test]
    fn without_grace_the_old_one_ends_at_once() {
        let now = Timestamp::from_seconds(1000);
        let mut secrets = EndpointSecrets {
            current: secret(0),
            old: Vec::new(),
        };
        assert!(rotate(&mut secrets, &secret(1), now, now));
        assert!(secrets.old.is_empty() && secrets.current == secret(1));
    }
}
