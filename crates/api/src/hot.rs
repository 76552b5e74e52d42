//! Accepting messages: the hot path.
//!
//! The same work is reached in two ways: by the router, and by [`HotRoute`], which a server asks before
//! the router and which does without its layers.

mod answer;
mod message_in;
mod text;

use std::error::Error;
use std::sync::Arc;

use axum::extract::State;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use ringbolt_gate::answered::RouteAsked;
use ringbolt_gate::openapi::Problems;
use ringbolt_gate::{
    Caller, ClientAddress, Faults, Permission, Problem, Query, body, both, dress, idempotency, rest,
};
use ringbolt_model::Application;
use ringbolt_store::IdempotencyKey;
use tokio::time::Instant;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::message::MessageOut;
use crate::portal;
use crate::room::{Here, Room, refused};
use answer::Accepted;
use message_in::{Around, MessageIn};

pub(crate) fn routes() -> OpenApiRouter<Arc<Room>> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Send a message.
///
/// When this is answered the message is on disk, and will be delivered to every endpoint that wants it.
#[utoipa::path(
    post,
    path = "/api/v1/app/{app_id}/msg",
    tag = "Message",
    operation_id = "v1.message.create",
    params(
        ("app_id" = String, Path, description = "The application's id or uid"),
        ("with_content" = Option<bool>, Query, description = "Whether the answer has the payload"),
        ("idempotency-key" = Option<String>, Header, description = "See *Idempotency*"),
    ),
    request_body = MessageIn,
    responses((status = 202, description = "It is accepted", body = MessageOut), Problems)
)]
async fn create(State(room): Here, request: axum::extract::Request) -> axum::response::Response {
    answer(&room, request).await.map(Into::into)
}

/// How the log calls it.
const ROUTE: &str = "/api/v1/app/{app_id}/msg";

/// The route that accepts messages, without a router.
#[derive(Clone)]
pub struct HotRoute {
    room: Arc<Room>,
}

impl HotRoute {
    pub(crate) fn new(room: Arc<Room>) -> Self {
        Self { room }
    }

    /// Whether a request is for this route.
    #[must_use]
    pub fn matches(method: &Method, path: &str) -> bool {
        *method == Method::POST && segment(path).is_some()
    }

    /// Answers a request that [`Self::matches`].
    pub async fn serve<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let room = &self.room;
        let id = room.ids.name(request.headers());
        let mut answer = answer(room, request).await;
        room.figures.answered(answer.status());
        // A browser does not show what it has posted with a token, so the request's id is dress enough.
        answer.headers_mut().insert(dress::REQUEST_ID, id);
        answer.map(Full::new)
    }
}

async fn answer<B>(room: &Room, request: Request<B>) -> Response<Bytes>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let begun = Instant::now();
    let (parts, mut sent) = request.into_parts();
    let mut caller = None;
    match accept(room, &parts, &mut sent, &mut caller).await {
        Ok(answer) => {
            room.figures.accepted(begun.elapsed());
            answer
        }
        Err(problem) => {
            rest::drain(sent, &parts.headers).await;
            let mut answer = problem.render();
            answer.extensions_mut().insert(RouteAsked(ROUTE.into()));
            if let Some(caller) = caller {
                answer.extensions_mut().insert(caller);
            }
            answer
        }
    }
}

/// The application in the path of a request for this route.
fn segment(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/api/v1/app/")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let segment = rest.strip_suffix("/msg")?;
    (!segment.is_empty() && !segment.contains('/')).then_some(segment)
}

/// Takes a message; whoever sends it is known as soon as possible, for the log.
async fn accept<B>(
    room: &Room,
    parts: &Parts,
    sent: &mut B,
    asked_by: &mut Option<Caller>,
) -> Result<Response<Bytes>, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let from = parts.extensions.get::<ClientAddress>().copied();
    let caller = room.auth.caller(&parts.headers, from).await?;
    *asked_by = Some(caller);
    caller.must(Permission::SendMessages)?;
    let path = segment(parts.uri.path()).ok_or_else(Problem::no_such_path)?;
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| Problem::no_such_path())?;
    let with_content = with_content(parts.uri.query());
    let (with_content, key) = both(with_content, idempotency::key_of(&parts.headers))?;

    let limit = room.settings.body_limit();
    let sent = body::read(sent, &parts.headers, limit, &caller).await;
    let sent = sent.map_err(|problem| match problem.status() {
        StatusCode::PAYLOAD_TOO_LARGE => message_in::too_large(room.settings.max_payload),
        _ => problem,
    })?;
    let mut around = Around {
        json: &room.json,
        max_payload: room.settings.max_payload,
        now: room.now(),
        idempotency: None,
    };
    let mut input = MessageIn::read(&sent, &around)?;
    let app = application(room, caller, &path, &mut input, &around).await?;
    around.idempotency = key.map(|key| digests(&app, key, &sent));
    let draft = input.draft(&around, Faults::default())?;
    // The body is not needed while the message is written.
    let verbatim = input.came_as_json();
    drop(input);
    drop(sent);

    let taken = room
        .handle
        .accept(&app, draft.clone())
        .await
        .map_err(refused)?;
    let accepted = Accepted {
        id: taken.id,
        app: app.id,
        draft: &draft,
        verbatim,
        with_content,
    };
    accepted.answer().map_err(Problem::internal)
}

async fn application(
    room: &Room,
    caller: Caller,
    path: &str,
    input: &mut MessageIn<'_>,
    around: &Around<'_>,
) -> Result<Arc<Application>, Problem> {
    let Some(inline) = input.application.take() else {
        return room.named(caller, path).await;
    };
    let mut faults = Faults::default();
    let wanted = faults.nested("application", |faults| inline.look(faults));
    if !faults.is_empty() {
        return Err(input.wrong(around, faults));
    }
    portal::find(room, caller, path, Some(wanted)).await
}

/// Most SDKs send nothing or exactly this.
fn with_content(query: Option<&str>) -> Result<bool, Problem> {
    match query {
        None | Some("with_content=true") => Ok(true),
        Some("with_content=false") => Ok(false),
        Some(query) => Query::parse(query)?.flag("with_content", true),
    }
}

/// A message's key is one of its application: whoever sends for it repeats the same request.
fn digests(app: &Application, key: &str, body: &[u8]) -> IdempotencyKey {
    let app = app.id.raw().to_be_bytes();
    IdempotencyKey {
        key: idempotency::digest(&[b"message", &app, key.as_bytes()]),
        body: idempotency::digest(&[body]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_is_one_path_with_or_without_a_slash() {
        assert_eq!(segment("/api/v1/app/shop-1/msg"), Some("shop-1"));
        assert_eq!(segment("/api/v1/app/shop-1/msg/"), Some("shop-1"));
        for other in [
            "/api/v1/app//msg",
            "/api/v1/app/a/b/msg",
            "/api/v1/app/a/msg/x",
            "/api/v1/app/msg",
            "/app/a/msg",
            "/api/v1/app/a/msg//",
        ] {
            assert_eq!(segment(other), None, "{other}");
        }
        assert!(HotRoute::matches(&Method::POST, "/api/v1/app/a/msg"));
        assert!(!HotRoute::matches(&Method::GET, "/api/v1/app/a/msg"));
    }

    #[test]
    fn content_is_shown_unless_asked_otherwise() {
        assert!(with_content(None).unwrap() && with_content(Some("x=y")).unwrap());
        assert!(!with_content(Some("with_content=false")).unwrap());
        assert!(!with_content(Some("x=y&with_content=false")).unwrap());
        assert!(with_content(Some("with_content=maybe")).is_err());
    }
}
