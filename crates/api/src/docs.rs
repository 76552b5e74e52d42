//! The description of the API, and a page to browse it. Nothing is fetched from outside.

use std::future::ready;

use axum::Router;
use axum::body::to_bytes;
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use ringbolt_gate::Problem;
use ringbolt_gate::openapi::{BEARER, add_common};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::SecurityRequirement;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::routes;

/// Where the description is.
const DESCRIPTION: &str = "/openapi.json";
/// The page brings all that it needs along; its styles are partly written in place.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Ringbolt API",
        description = include_str!("docs.md"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "Application", description = "The tenants of the product that sends"),
        (name = "Endpoint", description = "Where messages go, and which"),
        (name = "Message", description = "Events that were accepted"),
        (name = "Message Attempt", description = "What was tried, and what came back"),
        (name = "Event Type", description = "The catalogue of what can happen"),
        (name = "Authentication", description = "Access for customers"),
        (name = "Key", description = "Access for programs"),
        (name = "Health", description = "How the server is"),
    )
)]
struct Base;

/// What all descriptions begin with.
pub(crate) fn base() -> OpenApi {
    let mut api = Base::openapi();
    add_common(&mut api);
    api.security = Some(vec![SecurityRequirement::new(BEARER, [] as [&str; 0])]);
    api
}

/// The description as JSON, with an end of line as its last byte.
pub(crate) fn text() -> String {
    let json = routes::description().to_pretty_json();
    json.expect("a description is made of text and numbers") + "\n"
}

/// The description, and the page.
pub(crate) fn router(api: OpenApi) -> Router {
    // The page only names the description, which is written out once: that takes milliseconds.
    let config = Config::from(DESCRIPTION)
        .validator_url("none")
        .persist_authorization(false)
        .default_models_expand_depth(0);
    let json = api.to_json();
    let text = Bytes::from(json.expect("a description is made of text and numbers"));
    let description = move || ready(([(CONTENT_TYPE, "application/json")], text.clone()));
    let page = Router::from(SwaggerUi::new("/docs").config(config));
    page.route(DESCRIPTION, get(description))
        .layer(map_response(entitled))
        .layer(map_response(async |mut answer: Response| {
            answer.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
            answer
        }))
}

/// What the page calls itself, and what it shall be called.
const TITLES: (&str, &str) = ("<title>Swagger UI</title>", "<title>Ringbolt API</title>");
/// More than the page has.
const PAGE: usize = 64 * 1024;

/// The page under our title; its styles and scripts as they are.
async fn entitled(answer: Response) -> Response {
    let is_page = answer.headers().get(CONTENT_TYPE);
    if !is_page.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    match to_bytes(body, PAGE).await {
        Ok(page) => {
            head.headers.remove(CONTENT_LENGTH);
            let page = String::from_utf8_lossy(&page).replace(TITLES.0, TITLES.1);
            Response::from_parts(head, page.into())
        }
        Err(error) => Problem::internal(error).into_response(),
    }
}
