//! Access to an application for its customers: tokens limited to it, which expire.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::token::NewToken;
use ringbolt_gate::{Caller, Input, Kind, Permission, Problem, Segments};
use ringbolt_model::{ApiKey, Application, Role};
use ringbolt_store::{AppRef, StoreError};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::{ApplicationIn, Wanted, ensure};
use crate::room::{Here, Room, app_ref};

/// How long a token works, in seconds.
const LIFE: std::ops::RangeInclusive<u64> = 3600..=7 * 24 * 3600;
/// What a portal does that is not for reading alone.
const MANAGING: [&str; 4] = [
    "CreateAttempts",
    "ManageEndpoint",
    "ManageEndpointSecret",
    "ViewEndpointSecret",
];

#[expect(deprecated, reason = "older SDKs still ask for these")]
pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .routes(routes!(app_portal_access))
        .routes(routes!(dashboard_access))
        .routes(routes!(logout))
}

/// What access is asked for.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppPortalAccessIn {
    /// The application, to be created if it is not there; its uid must be that of the path.
    application: Option<ApplicationIn>,
    /// Feature flags of the customer. None are kept yet, so that event types behind a flag stay hidden.
    #[expect(dead_code, reason = "SDKs send it; it widens nothing")]
    feature_flags: Option<BTreeSet<String>>,
    /// For how many seconds the token works.
    #[schema(minimum = 3600, maximum = 604800, default = 604800)]
    expiry: Option<u64>,
    /// Whether nothing can be changed with it.
    read_only: Option<bool>,
    /// What can be done with it. Anything less than managing endpoints with their secrets and sending
    /// again is for reading alone.
    capabilities: Option<BTreeSet<String>>,
}

impl AppPortalAccessIn {
    /// The role that gives no more than was asked for.
    fn role(&self) -> Role {
        let asked = |all: &BTreeSet<String>| MANAGING.iter().all(|one| all.contains(*one));
        let managing = self.capabilities.as_ref().is_none_or(asked);
        if managing && !self.read_only.unwrap_or(false) {
            Role::Portal
        } else {
            Role::Reader
        }
    }
}

/// Access to an application.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AppPortalAccessOut {
    /// Where the portal is, with the token behind `#`, which browsers send nowhere.
    url: String,
    /// The token: for this application only.
    token: String,
}

/// Get access to an application for its customers.
///
/// The token is for this application only and expires. The page at `url` comes with a later version;
/// the token works with the API and the SDKs.
#[utoipa::path(
    post,
    path = "/api/v1/auth/app-portal-access/{app_id}",
    tag = "Authentication",
    operation_id = "v1.authentication.app-portal-access",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("idempotency-key" = Option<String>, Header, description = "See *Idempotency*"),
    ),
    request_body = AppPortalAccessIn,
    responses((status = 200, body = AppPortalAccessOut), Problems)
)]
async fn app_portal_access(
    State(room): Here,
    caller: Caller,
    Segments(segment): Segments<String>,
    input: Input<AppPortalAccessIn>,
) -> Result<Json<AppPortalAccessOut>, Problem> {
    caller.must(Permission::GrantPortal)?;
    let (input, mut faults) = input.open();
    let (role, life) = (input.role(), input.expiry.unwrap_or(*LIFE.end()));
    if !LIFE.contains(&life) {
        let what = format!(
            "must be between {} and {} seconds",
            LIFE.start(),
            LIFE.end()
        );
        faults.add("expiry", what);
    }
    let inline = input
        .application
        .map(|one| faults.nested("application", |faults| one.look(faults)));
    faults.end()?;
    let app = find(&room, caller, &segment, inline).await?;
    grant(&room, &app, role, Duration::from_secs(life))
        .await
        .map(Json)
}

/// Get access to an application for its customers (an older path of the same).
#[utoipa::path(
    post,
    path = "/api/v1/auth/dashboard-access/{app_id}",
    tag = "Authentication",
    operation_id = "v1.authentication.dashboard-access",
    params(("app_id" = String, Path, description = "The application's id or uid")),
    responses((status = 200, body = AppPortalAccessOut), Problems)
)]
#[deprecated = "newer SDKs ask for `/auth/app-portal-access/{app_id}`"]
async fn dashboard_access(
    State(room): Here,
    caller: Caller,
    Segments(segment): Segments<String>,
) -> Result<Json<AppPortalAccessOut>, Problem> {
    let app = room.app(caller, Permission::GrantPortal, &segment).await?;
    grant(&room, &app, Role::Portal, Duration::from_secs(*LIFE.end()))
        .await
        .map(Json)
}

/// The application that a path names, created first if the request says how.
pub(crate) async fn find(
    room: &Room,
    caller: Caller,
    segment: &str,
    inline: Option<Wanted>,
) -> Result<Arc<Application>, Problem> {
    let Some(wanted) = inline else {
        return room.named(caller, segment).await;
    };
    let named = app_ref(segment)?;
    let fault =
        |what: &str, code| Err(Problem::invalid_at("body", "application", what).coded(code));
    match (&wanted.uid, &named) {
        (None, _) => return fault("needs a uid", "application_uid_missing"),
        (Some(uid), AppRef::Uid(named)) if uid == named => {}
        _ => {
            return fault(
                "its uid must be that of the path",
                "application_uid_mismatch",
            );
        }
    }
    match room.handle.application(&named).await {
        Ok(app) => {
            caller.must_reach(app.id, segment)?;
            Ok(app)
        }
        Err(StoreError::NotFound) if caller.app.is_some() => {
            Err(Problem::missing(Kind::Application, segment))
        }
        Err(StoreError::NotFound) => Ok(ensure(room, caller, wanted).await?.0),
        Err(error) => Err(error.into()),
    }
}

async fn grant(
    room: &Room,
    app: &Application,
    role: Role,
    life: Duration,
) -> Result<AppPortalAccessOut, Problem> {
    let token = NewToken::draw(Role::Portal).map_err(Problem::internal)?;
    let key = ApiKey {
        id: room.handle.new_id(),
        name: "portal".to_owned(),
        hash: token.hash.bytes(),
        role,
        app: Some(app.id),
        expires_at: Some(room.now() + life),
        last_used_at: None,
        revoked_at: None,
    };
    room.store().create_key(key).await?;
    let url = format!("{}/portal#key={}", room.settings.public_url, token.text);
    Ok(AppPortalAccessOut {
        url,
        token: token.text,
    })
}

/// End the token that this is asked with; for tokens of one application.
#[utoipa::path(
    post,
    path = "/api/v1/auth/logout",
    tag = "Authentication",
    operation_id = "v1.authentication.logout",
    params(("idempotency-key" = Option<String>, Header, description = "See *Idempotency*")),
    responses((status = 204, description = "It does not work any more"), Problems)
)]
async fn logout(State(room): Here, caller: Caller) -> Result<StatusCode, Problem> {
    // What a program signs in with is revoked by an operator, not by whoever holds it.
    let portal = caller.role == Role::Portal || caller.role == Role::Reader;
    let (Some(key), Some(_), true) = (caller.key, caller.app, portal) else {
        let detail =
            "only a portal's token ends itself; a key is revoked by `DELETE /api/v1/key/{key_id}`";
        return Err(Problem::forbidden(detail));
    };
    room.auth.revoke(key).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(json: &str) -> Role {
        ringbolt_gate::body::parse::<AppPortalAccessIn>(json.as_bytes())
            .unwrap()
            .role()
    }

    #[test]
    fn a_token_never_gives_more_than_was_asked_for() {
        assert_eq!(role("{}"), Role::Portal);
        assert_eq!(role(r#"{"readOnly":true}"#), Role::Reader);
        assert_eq!(role(r#"{"capabilities":["ViewBase"]}"#), Role::Reader);
        assert_eq!(
            role(r#"{"capabilities":["ViewBase","ManageEndpoint"]}"#),
            Role::Reader
        );
        let all = r#"{"capabilities":["ViewBase","ManageEndpoint","ViewEndpointSecret",
            "ManageEndpointSecret","CreateAttempts"]}"#;
        assert_eq!(role(all), Role::Portal);
    }
}
