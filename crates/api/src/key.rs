//! API keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::page::{OrderParams, PageParams};
use ringbolt_gate::token::NewToken;
use ringbolt_gate::{Answer, Caller, Input, Kind, Permission, Problem, Query, Segments, Turn};
use ringbolt_model::{ApiKey, AppId, KeyId, Role, Timestamp};
use ringbolt_store::Order;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::acts::Act;
use crate::bounds::check_label;
use crate::room::{Here, Room};

pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
}

/// A key to be created.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyIn {
    /// A name for people.
    #[schema(required = true, value_type = String)]
    name: Option<String>,
    /// What it may do: `admin`, `sender` or `reader`.
    #[schema(required = true, value_type = String)]
    role: Option<String>,
    /// The only application that it may touch, by id or uid; all if absent.
    app_id: Option<String>,
    /// When it stops working; never if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A key, without its token.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyOut {
    /// Its id.
    #[schema(value_type = String)]
    id: KeyId,
    /// A name for people.
    name: String,
    /// What it may do.
    #[schema(value_type = String)]
    role: Role,
    /// The only application that it may touch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    app_id: Option<AppId>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyOut {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            role: key.role,
            app_id: key.app,
            created_at: key.id.time(),
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// A new key, with its token.
#[derive(Serialize, utoipa::ToSchema)]
struct NewKeyOut {
    #[serde(flatten)]
    key: KeyOut,
    /// What is sent as `Authorization: Bearer …`. It is shown here and never again.
    token: String,
}

/// List API keys, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/key",
    tag = "Key",
    operation_id = "v1.key.list",
    params(
        ("app_id" = Option<String>, Query, description = "Those of this application only"),
        PageParams, OrderParams
    ),
    responses((status = 200, description = "A page of the list", body = Answer<KeyOut>), Problems)
)]
async fn list(
    State(room): Here,
    caller: Caller,
    query: Query,
) -> Result<Json<Answer<KeyOut>>, Problem> {
    caller.must(Permission::ManageKeys)?;
    let app = match query.text("app_id") {
        Some(segment) => Some(room.named(caller, segment).await?.id),
        None => None,
    };
    let turn = Turn::asked(&query, Order::Ascending)?;
    let found = room.store().keys(app, turn.page()).await?;
    Ok(Json(turn.answer(found, |key| key.id, KeyOut::from)))
}

/// Create an API key. The answer shows its token, once.
#[utoipa::path(
    post,
    path = "/api/v1/key",
    tag = "Key",
    operation_id = "v1.key.create",
    params(("idempotency-key" = Option<String>, Header, description = "See *Idempotency*")),
    request_body = KeyIn,
    responses((status = 201, description = "It was created", body = NewKeyOut), Problems)
)]
async fn create(
    State(room): Here,
    caller: Caller,
    input: Input<KeyIn>,
) -> Result<(StatusCode, Json<NewKeyOut>), Problem> {
    caller.must(Permission::ManageKeys)?;
    let (input, mut faults) = input.open();
    let name = faults.required("name", input.name);
    check_label(&mut faults, "name", name.as_deref());
    let role = faults.required("role", input.role);
    let role = role.and_then(|role| faults.check("role", role_of(&role)));
    if input.expires_at.is_some_and(|end| end <= room.now()) {
        faults.add("expiresAt", "must lie in the future");
    }
    let app = match &input.app_id {
        None => None,
        Some(segment) => match room.named(caller, segment).await {
            Ok(app) => Some(app.id),
            Err(problem) if problem.status() == StatusCode::NOT_FOUND => {
                faults.add("appId", "there is no application of this id or uid");
                None
            }
            Err(problem) => return Err(problem),
        },
    };
    let (Some(name), Some(role)) = (name, role) else {
        return Err(faults.into_problem());
    };
    faults.end()?;

    let token = NewToken::draw(role).map_err(Problem::internal)?;
    let key = ApiKey {
        id: room.handle.new_id(),
        name,
        hash: token.hash.bytes(),
        role,
        app,
        expires_at: input.expires_at,
        last_used_at: None,
        revoked_at: None,
        portal: None,
    };
    room.store().create_key(key.clone()).await?;
    room.auth.created(token.hash);
    room.done(caller, Act::KeyMade(&key));
    Ok((
        StatusCode::CREATED,
        Json(NewKeyOut {
            key: key.into(),
            token: token.text,
        }),
    ))
}

/// Portals get their tokens by another way.
fn role_of(text: &str) -> Result<Role, &'static str> {
    match text.parse() {
        Ok(role @ (Role::Admin | Role::Sender | Role::Reader)) => Ok(role),
        _ => Err("expected admin, sender or reader"),
    }
}

/// Revoke an API key: it stops working at once.
#[utoipa::path(
    delete,
    path = "/api/v1/key/{key_id}",
    tag = "Key",
    operation_id = "v1.key.delete",
    params(("key_id" = String, Path, description = "Its id")),
    responses((status = 204, description = "It does not work any more"), Problems)
)]
async fn revoke(
    State(room): Here,
    caller: Caller,
    Segments(key): Segments<String>,
) -> Result<StatusCode, Problem> {
    caller.must(Permission::ManageKeys)?;
    let missing = |_| Problem::missing(Kind::Key, &key);
    let id = key.parse().map_err(missing)?;
    room.auth.revoke(id).await?;
    room.done(caller, Act::KeyRevoked(id));
    Ok(StatusCode::NO_CONTENT)
}
