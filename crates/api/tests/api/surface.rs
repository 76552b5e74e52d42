//! What stands around the API: paths, methods, health, documentation, metrics, limits.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::house::{ADMIN, House, request, text};

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let house = House::new().await;
    let app = house.application().await;
    house.admin("GET /app/", Value::Null).await.expect(200);
    house
        .admin(&format!("GET /app/{app}/"), Value::Null)
        .await
        .expect(200);
    house
        .admin("POST /app/", json!({"name": "a"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_path_has_one_slash_between_its_parts_and_at_most_one_at_its_end() {
    let house = House::new().await;
    let app = house.application().await;
    for path in [format!("/app/{app}/endpoint/"), "/app/?limit=1".to_owned()] {
        house
            .admin(&format!("GET {path}"), Value::Null)
            .await
            .expect(200);
    }
    for path in [
        "//api/v1/app".to_owned(),
        "/api//v1/app".to_owned(),
        "/api/v1//app".to_owned(),
        "/api/v1/app//".to_owned(),
        format!("/api/v1/app//{app}"),
        format!("/api/v1/app/{app}//endpoint"),
        format!("/api/v1/app/{app}/endpoint//"),
        format!("/api/v1/app/{app}//msg"),
    ] {
        let mut request = request(ADMIN, "GET /app", Value::Null);
        *request.uri_mut() = path.parse().expect("a path");
        let answer = house.send(request).await.expect(404);
        assert_eq!(answer["code"], "not_found", "{path}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_have_the_house_form() {
    let house = House::new().await;
    for what in ["GET /nothing", "GET /app/x/y/z"] {
        let answer = house.ask("", what, Value::Null).await.expect(404);
        assert!(answer["code"] == "not_found" && answer["detail"].is_string());
    }
    let answer = house.admin("DELETE /app", Value::Null).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (405, &json!("method_not_allowed"))
    );
    assert!(answer.headers.contains_key("allow"));
    house
        .admin("GET /app?iterator=garbage", Value::Null)
        .await
        .expect(422);
    house
        .admin("GET /app?limit=%ff", Value::Null)
        .await
        .expect(400);
}

#[tokio::test]
async fn health_is_open_and_metrics_are_not() {
    let house = House::new().await;
    let health = house.ask("", "GET /health", Value::Null).await.expect(200);
    assert_eq!(
        (&health["status"], &health["store"]["status"]),
        (&json!("ok"), &json!("ok"))
    );
    assert_eq!(house.ask("", "HEAD /health", Value::Null).await.status, 200);
    assert_eq!(
        house.ask("", "GET /health/ping", Value::Null).await.status,
        204
    );
    house.ask("", "GET /metrics", Value::Null).await.expect(401);
    let app = house.application().await;
    house.message(&app).await;
    let metrics = house.admin("GET /metrics", Value::Null).await;
    let text = String::from_utf8(metrics.bytes.to_vec()).unwrap();
    assert!(
        text.contains("ringbolt_http_accept_seconds_count 1"),
        "{text}"
    );
    assert!(
        text.contains("ringbolt_http_answers_total{class=\"4xx\"} 1"),
        "{text}"
    );
}

#[tokio::test]
async fn the_documentation_brings_all_that_it_needs_along() {
    let house = House::new().await;
    let moved = house.ask("", "GET /docs", Value::Null).await;
    assert_eq!(
        (moved.status, &moved.headers["location"]),
        (303, &"/docs/".parse().unwrap())
    );
    let page = house.ask("", "GET /docs/", Value::Null).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(
        text.contains("swagger-ui") && !text.contains("http"),
        "{text}"
    );
    let description = house
        .ask("", "GET /openapi.json", Value::Null)
        .await
        .expect(200);
    let golden: Value = serde_json::from_str(&ringbolt_api::Api::openapi()).unwrap();
    assert_eq!(description, golden);
}

#[tokio::test]
async fn answers_are_named_and_not_kept_by_browsers() {
    let house = House::new().await;
    let mut asked = request(ADMIN, "GET /app", Value::Null);
    asked
        .headers_mut()
        .insert("x-request-id", "mine-1".parse().unwrap());
    let answer = house.send(asked).await;
    assert_eq!(answer.headers["x-request-id"], "mine-1");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn browsers_on_configured_origins_may_call() {
    let house = House::new().await;
    let preflight = |origin: &str| {
        let mut request = request("", "OPTIONS /app/a/endpoint", Value::Null);
        let headers = request.headers_mut();
        headers.insert("origin", origin.parse().unwrap());
        headers.insert("access-control-request-method", "POST".parse().unwrap());
        headers.insert(
            "access-control-request-headers",
            "authorization".parse().unwrap(),
        );
        request
    };
    let allowed = house.route(preflight("https://app.example.com")).await;
    assert_eq!(
        allowed.headers["access-control-allow-origin"],
        "https://app.example.com"
    );
    let mut plain = request("", "GET /app", Value::Null);
    let headers = plain.headers_mut();
    headers.insert("origin", "https://app.example.com".parse().unwrap());
    let seen = house.route(plain).await;
    assert_eq!(
        seen.headers["access-control-expose-headers"],
        "x-request-id,retry-after,idempotent-replayed"
    );
    let refused = house.route(preflight("https://evil.example")).await;
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn limits_answer_and_harm_nothing() {
    let house = House::new().await;
    let app = house.application().await;
    let send = |payload: String| {
        let mut request = request(ADMIN, &format!("POST /app/{app}/msg"), Value::Null);
        let body = format!(r#"{{"eventType":"a.b","payload":{payload}}}"#);
        *request.body_mut() = Full::from(body);
        request
    };
    let fits = format!("\"{}\"", "x".repeat(1024 * 1024 - 2));
    house.send(send(fits)).await.expect(202);
    for bytes in [1024 * 1024, 20 * 1024 * 1024] {
        let answer = house
            .send(send(format!("\"{}\"", "x".repeat(bytes))))
            .await
            .expect(413);
        assert_eq!(answer["code"], "payload_too_large");
        let detail = text(&answer["detail"]);
        let way_out = ["`payload`", "1048576 bytes", "`api.max_payload`"];
        assert!(way_out.iter().all(|word| detail.contains(word)), "{detail}");
    }
    house
        .send(send("[".repeat(128) + &"]".repeat(128)))
        .await
        .expect(202);
    for depth in [129, 100_000] {
        house
            .send(send("[".repeat(depth) + &"]".repeat(depth)))
            .await
            .expect(422);
        house
            .send(send("{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)))
            .await
            .expect(422);
    }
    let broken: Request<Full<_>> = {
        let mut request = request(ADMIN, &format!("POST /app/{app}/msg"), Value::Null);
        *request.body_mut() = Full::from(r#"{"eventType":"a.b","payload":{"a":}}"#);
        request
    };
    let answer = house.send(broken).await.expect(422);
    assert_eq!(answer["detail"][0]["type"], "value_error.jsondecode");
}

/// A body that tells when it was read to its end.
struct Watched(Full<Bytes>, Arc<AtomicBool>);

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        self.1.store(self.0.is_end_stream(), Relaxed);
        frame
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[tokio::test]
async fn a_connection_outlives_answers_that_did_not_need_the_body() {
    let house = House::new().await;
    let app = house.application().await;
    for what in [
        format!("POST /app/{app}/msg"),
        format!("POST /app/{app}/endpoint"),
    ] {
        let read = Arc::new(AtomicBool::new(false));
        let body = Watched(
            Full::from(r#"{"eventType":"a.b","payload":{}}"#),
            read.clone(),
        );
        let asked = request("no such token", &what, Value::Null).map(|_| body);
        assert_eq!(house.send(asked).await.status, 401);
        assert!(read.load(Relaxed), "{what}: the body was not read");
    }
}
