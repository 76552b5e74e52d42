//! Headers that are added to an endpoint's deliveries.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::{Caller, Input, Permission, Problem, Segments};
use ringbolt_model::{CustomHeaders, Endpoint};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::header_rules::{check_headers, merge};
use crate::room::{Here, Room};

/// Values of these are secrets: they are sent and never shown.
const SENSITIVE: &[&str] = &[
    "authorization",
    "cookie",
    "www-authenticate",
    "x-api-key",
    "x-auth-token",
];

/// Headers to be set; all others are removed.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
pub(super) struct EndpointHeadersIn {
    /// Their values by name: at most 50, each at most 4,096 bytes, with their names at most 16 KiB together.
    #[schema(required = true, value_type = BTreeMap<String, String>)]
    headers: Option<BTreeMap<String, String>>,
}

/// Headers to be changed.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointHeadersPatchIn {
    /// Their values by name; `null` removes one.
    #[schema(required = true, value_type = BTreeMap<String, Option<String>>)]
    headers: Option<BTreeMap<String, Option<String>>>,
    /// Names of headers to be removed.
    #[serde(default)]
    delete_headers: Vec<String>,
}

/// The headers of an endpoint.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct EndpointHeadersOut {
    /// Values by name, but for the sensitive ones.
    headers: BTreeMap<String, String>,
    /// Names of headers whose values are not shown.
    sensitive: BTreeSet<String>,
}

impl From<CustomHeaders> for EndpointHeadersOut {
    fn from(all: CustomHeaders) -> Self {
        let secret = |(name, _): &(String, String)| SENSITIVE.contains(&name.as_str());
        let (sensitive, open): (Vec<_>, Vec<_>) = all.0.into_iter().partition(secret);
        let sensitive = sensitive.into_iter().map(|(name, _)| name).collect();
        Self {
            headers: open.into_iter().collect(),
            sensitive,
        }
    }
}

/// Get the headers that are added to an endpoint's deliveries.
#[utoipa::path(
    get,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers",
    tag = "Endpoint",
    operation_id = "v1.endpoint.get-headers",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
    ),
    responses((status = 200, description = "The headers", body = EndpointHeadersOut), Problems)
)]
pub(super) async fn get_headers(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
) -> Result<Json<EndpointHeadersOut>, Problem> {
    let app = room.app(caller, Permission::ReadEndpoints, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let destination = room.store().destination(endpoint.id).await?;
    Ok(Json(destination.headers.into()))
}

/// Set the headers that are added to an endpoint's deliveries.
#[utoipa::path(
    put,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers",
    tag = "Endpoint",
    operation_id = "v1.endpoint.update-headers",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
    ),
    request_body = EndpointHeadersIn,
    responses((status = 204, description = "They are set"), Problems)
)]
pub(super) async fn set_headers(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
    input: Input<EndpointHeadersIn>,
) -> Result<StatusCode, Problem> {
    let app = room.app(caller, Permission::ChangeEndpoints, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let (input, mut faults) = input.open();
    let given = faults
        .required("headers", input.headers)
        .unwrap_or_default();
    let wanted = check_headers(&mut faults, &given);
    faults.end()?;
    store_headers(&room, &endpoint, move |headers| *headers = wanted.clone()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change the headers that are added to an endpoint's deliveries.
#[utoipa::path(
    patch,
    path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers",
    tag = "Endpoint",
    operation_id = "v1.endpoint.patch-headers",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("endpoint_id" = String, Path, description = "The endpoint's id or uid"),
    ),
    request_body = EndpointHeadersPatchIn,
    responses((status = 204, description = "They are changed"), Problems)
)]
pub(super) async fn patch_headers(
    State(room): Here,
    caller: Caller,
    Segments((app, endpoint)): Segments<(String, String)>,
    input: Input<EndpointHeadersPatchIn>,
) -> Result<StatusCode, Problem> {
    let app = room.app(caller, Permission::ChangeEndpoints, &app).await?;
    let endpoint = room.endpoint(app.id, &endpoint).await?;
    let (input, mut faults) = input.open();
    let mut removed: BTreeSet<String> = input
        .delete_headers
        .iter()
        .map(|name| name.to_ascii_lowercase())
        .collect();
    let mut set = BTreeMap::new();
    for (name, value) in input.headers.unwrap_or_default() {
        match value {
            Some(value) => drop(set.insert(name, value)),
            None => drop(removed.insert(name.to_ascii_lowercase())),
        }
    }
    let set = check_headers(&mut faults, &set);
    faults.end()?;
    // A change may be made more than once before it is stored; the last verdict counts.
    let (judge, verdict) = watch::channel(Ok(()));
    let change = move |headers: &mut CustomHeaders| {
        drop(judge.send_replace(merge(headers, &removed, &set)));
    };
    store_headers(&room, &endpoint, change).await?;
    let verdict = verdict.borrow().clone();
    verdict.map_err(|what: String| Problem::invalid_at("body", "headers", what))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn store_headers(
    room: &Room,
    endpoint: &Endpoint,
    change: impl FnMut(&mut CustomHeaders) + Send + 'static,
) -> Result<(), Problem> {
    room.store()
        .edit_headers(endpoint.id, Box::new(change))
        .await?;
    room.handle.endpoint_changed(endpoint);
    Ok(())
}

#[cfg(test)]
mod tests {
    use ringbolt_gate::Faults;

    use super::*;

    #[test]
    fn sensitive_values_are_named_and_not_shown() {
        let given = [("X-A", "1"), ("Authorization", "Bearer s")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let stored = check_headers(&mut Faults::default(), &given.into());
        let shown = EndpointHeadersOut::from(stored);
        let open = BTreeMap::from([("x-a".to_owned(), "1".to_owned())]);
        assert_eq!(shown.headers, open);
        assert_eq!(
            shown.sensitive,
            BTreeSet::from(["authorization".to_owned()])
        );
    }
}
