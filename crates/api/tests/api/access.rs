//! Who may do what: tables made from the description, so that no route is forgotten.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http_body::Frame;
use ringbolt_model::{KeyId, Timestamp};
use ringbolt_store::{Keys as _, News};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::house::{House, request, text};

/// Every operation as `METHOD /path` below `/api/v1`, its parameters filled in, and whether it is open.
fn operations(app: &str) -> Vec<(String, bool)> {
    let api: Value = serde_json::from_str(&ringbolt_api::Api::openapi()).expect("JSON");
    let mut all = Vec::new();
    for (path, item) in api["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let path = path
                .strip_prefix("/api/v1")
                .unwrap_or(path)
                .replace("{app_id}", app)
                .replace("{endpoint_id}", "an-endpoint")
                .replace("{msg_id}", "a-message")
                .replace("{attempt_id}", "an-attempt")
                .replace("{event_type_name}", "a.type")
                .replace("{key_id}", "a-key");
            let open = operation["security"].as_array().is_some_and(|s| {
                s.iter()
                    .any(|one| one.as_object().is_some_and(serde_json::Map::is_empty))
            });
            all.push((format!("{} {path}", method.to_uppercase()), open));
        }
    }
    all
}

#[tokio::test]
async fn every_route_demands_a_token() {
    let house = House::new().await;
    let app = house.application().await;
    let expiring = house
        .key(json!({"name": "k", "role": "admin", "expiresAt": "2027-01-15T09:00:00Z"}))
        .await;
    house
        .ask(&expiring, "GET /app", Value::Null)
        .await
        .expect(200);
    house.clock.advance(Duration::from_secs(3600));
    let operations = operations(&app);
    assert!(operations.len() > 40);
    let open: Vec<_> = operations
        .iter()
        .filter(|(_, open)| *open)
        .map(|(what, _)| what)
        .collect();
    assert_eq!(open, ["GET /health", "GET /health/ping"]);
    for (what, open) in &operations {
        for token in ["", "nonsense", &expiring] {
            let answer = house.ask(token, what, Value::Null).await;
            if *open {
                assert!(answer.status < 300, "{what}");
            } else {
                assert_eq!(answer.status, 401, "{what} as {token:?}");
                assert_eq!(answer.json()["code"], "authentication_failed");
                assert!(answer.json()["detail"].is_string());
            }
        }
    }
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let house = House::new().await;
    let app = house.application().await;
    let reader = house.key(json!({"name": "r", "role": "reader"})).await;
    for (what, _) in operations(&app) {
        let answer = house.ask(
            &reader,
            &what,
            json!({"name": "x", "eventType": "a", "payload": 1}),
        );
        let status = answer.await.status;
        if !what.starts_with("GET ") || what.ends_with("/secret") || what.ends_with("/key") {
            assert_eq!(status, 403, "{what}");
        } else {
            assert!(matches!(status, 200 | 204 | 404), "{what}: {status}");
        }
    }
}

#[tokio::test]
async fn a_key_of_one_application_reaches_no_other() {
    let house = House::new().await;
    let (own, foreign) = (house.application().await, house.application().await);
    let admin = json!({"name": "a", "role": "admin", "appId": own});
    let access = house
        .admin(&format!("POST /auth/app-portal-access/{own}"), json!({}))
        .await;
    let portal = text(&access.expect(200)["token"]);
    for token in [house.key(admin).await, portal] {
        house
            .ask(&token, &format!("GET /app/{own}/endpoint"), Value::Null)
            .await
            .expect(200);
        for (what, _) in operations(&foreign) {
            if !what.contains(&foreign) {
                continue;
            }
            let body = json!({"name": "x", "url": "https://example.com/", "eventType": "a",
                "payload": 1, "headers": {}, "since": "2027-01-01T00:00:00Z"});
            let status = house.ask(&token, &what, body).await.status;
            assert!(matches!(status, 403 | 404), "{what}: {status}");
        }
    }
    let what = format!("GET /app/{foreign}");
    house.admin(&what, Value::Null).await.expect(200);
}

#[tokio::test]
async fn a_key_of_one_application_does_not_learn_the_uids_of_others() {
    let house = House::new().await;
    for uid in ["own", "taken"] {
        let body = json!({"name": "n", "uid": uid});
        house.admin("POST /app", body).await.expect(201);
    }
    let key = json!({"name": "a", "role": "admin", "appId": "own"});
    let key = house.key(key).await;
    for method in ["PUT", "PATCH"] {
        let call = async |uid: &str| {
            let body = json!({"name": "other", "uid": uid});
            house.ask(&key, &format!("{method} /app/own"), body).await
        };
        let told = call("taken").await.expect(403);
        assert_eq!(told, call("free").await.expect(403), "{method}");
        assert_eq!(call("own").await.expect(200)["name"], "other", "{method}");
    }
    let missing = |uid: &str| (format!("PUT /app/{uid}"), json!({"name": "n"}));
    for (what, body) in [missing("taken"), missing("free")] {
        house.ask(&key, &what, body).await.expect(404);
    }
}

#[tokio::test]
async fn a_sender_sends_and_creates_on_the_way() {
    let house = House::new().await;
    let sender = house.key(json!({"name": "s", "role": "sender"})).await;
    let body = json!({"eventType": "a.b", "payload": {},
        "application": {"name": "made", "uid": "made"}});
    house
        .ask(&sender, "POST /app/made/msg", body.clone())
        .await
        .expect(202);
    house
        .ask(&sender, "POST /app/made/msg", body.clone())
        .await
        .expect(202);
    let app = json!({"name": "other", "uid": "made"});
    let found = house
        .ask(&sender, "POST /app?get_if_exists=true", app.clone())
        .await
        .expect(200);
    assert_eq!(found["name"], "made");
    house.ask(&sender, "POST /app", app).await.expect(403);
    house
        .ask(&sender, "GET /app/made/msg", Value::Null)
        .await
        .expect(403);
    house
        .ask(&sender, "POST /app/another/msg", body)
        .await
        .expect(422);
}

#[tokio::test]
async fn a_revoked_key_stops_at_once_and_its_last_use_is_noted() {
    let house = House::new().await;
    let made = house
        .admin("POST /key", json!({"name": "k", "role": "reader"}))
        .await
        .expect(201);
    let (id, token) = (text(&made["id"]), text(&made["token"]));
    assert!(made.get("lastUsedAt").is_none());
    house.ask(&token, "GET /app", Value::Null).await.expect(200);
    house.api.note_uses().await.unwrap();
    let listed = house.admin("GET /key", Value::Null).await.expect(200);
    assert!(listed["data"][0]["lastUsedAt"].is_string(), "{listed}");
    assert!(
        listed["data"][0].get("token").is_none(),
        "a token is shown once"
    );
    assert_eq!(
        house
            .admin(&format!("DELETE /key/{id}"), Value::Null)
            .await
            .status,
        204
    );
    house.ask(&token, "GET /app", Value::Null).await.expect(401);
    let other = if id.ends_with('x') { 'y' } else { 'x' };
    let mistyped = format!("DELETE /key/{}{other}", &id[..id.len() - 1]);
    house.admin(&mistyped, Value::Null).await.expect(404);
}

#[tokio::test]
async fn a_key_that_another_node_revokes_is_refused_here_from_the_news_on() {
    let house = House::new().await;
    let mut made = Vec::new();
    for name in ["one", "other"] {
        let key = json!({"name": name, "role": "reader"});
        let key = house.admin("POST /key", key).await.expect(201);
        made.push((text(&key["id"]).parse().unwrap(), text(&key["token"])));
    }
    let told = async |news: fn(KeyId) -> News, (id, token): &(KeyId, String)| {
        house.ask(token, "GET /app", Value::Null).await.expect(200);
        let now = Timestamp::from_seconds(1_800_000_000);
        house.others.revoke_key(*id, now).await.unwrap();
        house.others.tell(news(*id));
        let status = async || house.ask(token, "GET /app", Value::Null).await.status;
        // News that may have been missed is obeyed in its turn.
        let refused = async {
            while status().await != 401 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(30), refused)
            .await
            .expect("it is refused before it is read again");
    };
    told(News::Key, &made[0]).await;
    told(|_| News::Everything, &made[1]).await;
}

#[tokio::test]
async fn the_last_use_of_a_key_is_known_when_it_is_revoked_right_after() {
    let house = House::new().await;
    let made = house
        .admin("POST /key", json!({"name": "k", "role": "reader"}))
        .await
        .expect(201);
    let (id, token) = (text(&made["id"]), text(&made["token"]));
    house.ask(&token, "GET /app", Value::Null).await.expect(200);
    let what = format!("DELETE /key/{id}");
    assert_eq!(house.admin(&what, Value::Null).await.status, 204);
    let listed = house.admin("GET /key", Value::Null).await.expect(200);
    assert!(listed["data"][0]["revokedAt"].is_string(), "{listed}");
    assert!(listed["data"][0]["lastUsedAt"].is_string(), "{listed}");
}

#[tokio::test]
async fn whoever_guesses_tokens_is_slowed_down_by_address() {
    let house = House::new().await;
    let guess = |n: u32| {
        let mut request = request(&format!("guess-{n}"), "GET /app", Value::Null);
        let from = ringbolt_gate::ClientAddress("192.0.2.1".parse().unwrap());
        request.extensions_mut().insert(from);
        request
    };
    let mut statuses = Vec::new();
    for n in 0..40 {
        statuses.push(house.send(guess(n)).await.status);
    }
    assert_eq!((statuses[0], statuses[39]), (401, 429));
    house.admin("GET /app", Value::Null).await.expect(200);
}

/// A body that never comes.
struct Held;

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn who_may_not_change_a_thing_is_told_before_the_body_is_waited_for() {
    let house = House::new().await;
    let app = house.application().await;
    let reader = house.key(json!({"name": "k", "role": "reader"})).await;
    let access = format!("POST /auth/app-portal-access/{app}");
    let looking = json!({"capabilities": ["ViewBase"]});
    let portal = text(&house.admin(&access, looking).await.expect(200)["token"]);
    let mut changes = 0;
    for (what, _) in operations(&app) {
        if what.starts_with("GET") || what.ends_with("/logout") {
            continue;
        }
        for token in [&reader, &portal] {
            let mut asked = request(token, &what, Value::Null).map(|_| Held);
            let headers = asked.headers_mut();
            headers.insert("idempotency-key", HeaderValue::from_static("a key"));
            // Whoever waits for leave to send is not listened to any longer once the answer is known.
            headers.insert("expect", HeaderValue::from_static("100-continue"));
            let answered = timeout(Duration::from_secs(60), house.send(asked)).await;
            assert_eq!(answered.expect("an answer").status, 403, "{what}");
            changes += 1;
        }
    }
    assert!(changes > 40, "{changes}");
}
