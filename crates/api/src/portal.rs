//! Access to an application for its customers: tokens limited to it, which expire.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::token::NewToken;
use ringbolt_gate::{Caller, Faults, Input, Kind, Permission, Problem, Segments};
use ringbolt_model::{ApiKey, Application, Capabilities, Capability, PortalAccess, Role};
use ringbolt_store::{AppRef, ENDED_AT_ONCE, StoreError};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::application::{ApplicationIn, Wanted, ensure};
use crate::bounds::{LABEL, check_label, is_label};
use crate::room::{Here, Room, app_ref};

/// How long a token works, in seconds.
const LIFE: std::ops::RangeInclusive<u64> = 3600..=7 * 24 * 3600;
/// The most feature flags of a customer.
const FLAGS: usize = 100;
/// The most sessions that are ended by one request.
const SESSIONS: usize = 1000;

#[expect(deprecated, reason = "older SDKs still ask for these")]
pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .routes(routes!(app_portal_access))
        .routes(routes!(dashboard_access))
        .routes(routes!(logout))
        .routes(routes!(expire_all))
}

/// What access is asked for.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppPortalAccessIn {
    /// The application, to be created if it is not there; its uid must be that of the path.
    application: Option<ApplicationIn>,
    /// Feature flags of the customer, at most 100: event types with another flag are hidden.
    feature_flags: Option<BTreeSet<String>>,
    /// For how many seconds the token works.
    #[schema(minimum = 3600, maximum = 604800, default = 604800)]
    expiry: Option<u64>,
    /// Whether nothing can be changed with it, and no secret be read.
    read_only: Option<bool>,
    /// What can be done with it besides reading; all if absent.
    #[schema(value_type = Option<Vec<CapabilityIn>>)]
    capabilities: Option<BTreeSet<Capability>>,
    /// The session that it is for: tokens of a session can be ended together.
    session_id: Option<String>,
}

/// What a portal may do. `ManageEndpoint` includes the secrets; there are no transformations yet.
#[derive(utoipa::ToSchema)]
#[schema(as = AppPortalCapability)]
#[expect(dead_code, reason = "describes what the model reads")]
pub(crate) enum CapabilityIn {
    /// Reading; always included.
    ViewBase,
    /// Reading signing secrets.
    ViewEndpointSecret,
    /// Rotating and reading signing secrets.
    ManageEndpointSecret,
    /// Nothing yet.
    ManageTransformations,
    /// Sending again and recovering.
    CreateAttempts,
    /// Changing endpoints and their secrets.
    ManageEndpoint,
}

impl AppPortalAccessIn {
    /// What the token will be limited to: never more than was asked for.
    fn access(&mut self, faults: &mut Faults) -> PortalAccess {
        let flags = self.feature_flags.take().unwrap_or_default();
        if flags.len() > FLAGS || flags.iter().any(|flag| flag.len() > LABEL) {
            let what = format!("must be at most {FLAGS}, each of at most {LABEL} bytes");
            faults.add("featureFlags", what);
        }
        let session = self.session_id.take();
        check_label(faults, "sessionId", session.as_deref());
        let asked = self.capabilities.take();
        let capabilities = match asked {
            _ if self.read_only.unwrap_or(false) => Capabilities::READING,
            None => Capabilities::ALL,
            Some(all) => all.into_iter().chain([Capability::ViewBase]).collect(),
        };
        PortalAccess {
            capabilities,
            flags,
            session,
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
    responses((status = 200, description = "The token and where to use it", body = AppPortalAccessOut), Problems)
)]
async fn app_portal_access(
    State(room): Here,
    caller: Caller,
    Segments(segment): Segments<String>,
    input: Input<AppPortalAccessIn>,
) -> Result<Json<AppPortalAccessOut>, Problem> {
    caller.must(Permission::GrantPortal)?;
    let (mut input, mut faults) = input.open();
    let life = input.expiry.unwrap_or(*LIFE.end());
    let access = input.access(&mut faults);
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
    grant(&room, &app, access, Duration::from_secs(life))
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
    responses((status = 200, description = "The token and where to use it", body = AppPortalAccessOut), Problems)
)]
#[deprecated = "newer SDKs ask for `/auth/app-portal-access/{app_id}`"]
async fn dashboard_access(
    State(room): Here,
    caller: Caller,
    Segments(segment): Segments<String>,
) -> Result<Json<AppPortalAccessOut>, Problem> {
    let app = room.app(caller, Permission::GrantPortal, &segment).await?;
    let life = Duration::from_secs(*LIFE.end());
    grant(&room, &app, PortalAccess::default(), life)
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
        |what: &str, kind| Err(Problem::invalid_at("body", "application", what).typed(kind));
    match (&wanted.uid, &named) {
        (None, _) => return fault("needs a uid", "application_uid_missing"),
        (Some(uid), AppRef::Uid(named)) if uid == named => {}
        _ => {
            let what = "its uid must be that of the path";
            return fault(what, "application_uid_mismatch");
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
    access: PortalAccess,
    life: Duration,
) -> Result<AppPortalAccessOut, Problem> {
    let token = NewToken::draw(Role::Portal).map_err(Problem::internal)?;
    let key = ApiKey {
        id: room.handle.new_id(),
        name: "portal".to_owned(),
        hash: token.hash.bytes(),
        role: Role::Portal,
        app: Some(app.id),
        expires_at: Some(room.now() + life),
        last_used_at: None,
        revoked_at: None,
        portal: Some(access),
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
    let (Some(key), Role::Portal) = (caller.key, caller.role) else {
        let detail =
            "only a portal's token ends itself; a key is revoked by `DELETE /api/v1/key/{key_id}`";
        return Err(Problem::forbidden(detail));
    };
    room.auth.revoke(key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which tokens are to end, and when.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplicationTokenExpireIn {
    /// In how many seconds; at once if absent.
    #[schema(minimum = 0, maximum = 604800, default = 0)]
    expiry: Option<u64>,
    /// Those of these sessions only; all if absent or empty.
    session_ids: Option<BTreeSet<String>>,
}

/// End the tokens that customers of an application were given by portal access.
#[utoipa::path(
    post,
    path = "/api/v1/auth/app/{app_id}/expire-all",
    tag = "Authentication",
    operation_id = "v1.authentication.expire-all",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("idempotency-key" = Option<String>, Header, description = "See *Idempotency*"),
    ),
    request_body = ApplicationTokenExpireIn,
    responses((status = 204, description = "They end when they were told to"), Problems)
)]
async fn expire_all(
    State(room): Here,
    caller: Caller,
    Segments(segment): Segments<String>,
    input: Input<ApplicationTokenExpireIn>,
) -> Result<StatusCode, Problem> {
    let app = room.app(caller, Permission::GrantPortal, &segment).await?;
    let (input, mut faults) = input.open();
    let wait = input.expiry.unwrap_or(0);
    if wait > *LIFE.end() {
        faults.add(
            "expiry",
            format!("must be between 0 and {} seconds", LIFE.end()),
        );
    }
    let sessions = Vec::from_iter(input.session_ids.unwrap_or_default());
    if sessions.len() > SESSIONS || !sessions.iter().all(|name| is_label(name)) {
        let what = format!("must be at most {SESSIONS}, each of 1 to {LABEL} bytes");
        faults.add("sessionIds", what);
    }
    faults.end()?;
    let end = room.now() + Duration::from_secs(wait);
    let mut after = None;
    loop {
        let ended = room
            .store()
            .end_portals(app.id, sessions.clone(), end, after);
        let ended = ended.await?;
        room.auth.forget_keys_of(app.id);
        after = ended.last().copied();
        if ended.len() < ENDED_AT_ONCE {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(json: &str) -> PortalAccess {
        let mut faults = Faults::default();
        let mut input: AppPortalAccessIn = ringbolt_gate::body::parse(json.as_bytes()).unwrap();
        let access = input.access(&mut faults);
        faults.end().unwrap();
        access
    }

    #[test]
    fn a_token_never_gives_more_than_was_asked_for() {
        assert_eq!(access("{}"), PortalAccess::default());
        let reading = Capabilities::READING;
        assert_eq!(access(r#"{"readOnly":true}"#).capabilities, reading);
        assert_eq!(access(r#"{"capabilities":[]}"#).capabilities, reading);
        let both = r#"{"readOnly":true,"capabilities":["ManageEndpoint"]}"#;
        assert_eq!(access(both).capabilities, reading);
        let some =
            access(r#"{"capabilities":["CreateAttempts"],"featureFlags":["a"],"sessionId":"s"}"#);
        assert!(some.capabilities.has(Capability::CreateAttempts));
        assert!(!some.capabilities.has(Capability::ManageEndpoint));
        assert_eq!((some.flags.len(), some.session.as_deref()), (1, Some("s")));
    }
}
