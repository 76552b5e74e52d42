//! Who may do what: tables made from the description, so that no route is forgotten.

use std::time::Duration;

use serde_json::{Value, json};

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
async fn a_portal_logs_out_and_nobody_else_does() {
    let house = House::new().await;
    let app = house.application().await;
    let what = format!("POST /auth/app-portal-access/{app}");
    let access = house
        .admin(&what, json!({"expiry": 3600}))
        .await
        .expect(200);
    let token = text(&access["token"]);
    assert_eq!(
        text(&access["url"]),
        format!("https://hooks.example.com/portal#key={token}")
    );
    assert_eq!(
        house
            .ask(&token, "POST /auth/logout", Value::Null)
            .await
            .status,
        204
    );
    let list = format!("GET /app/{app}/endpoint");
    house.ask(&token, &list, Value::Null).await.expect(401);
    house
        .admin("POST /auth/logout", Value::Null)
        .await
        .expect(403);
    house.admin(&what, json!({"expiry": 60})).await.expect(422);

    let access = house
        .admin(&what, json!({"readOnly": true}))
        .await
        .expect(200);
    let token = text(&access["token"]);
    house.ask(&token, &list, Value::Null).await.expect(200);
    let create = format!("POST /app/{app}/endpoint");
    house
        .ask(&token, &create, json!({"url": "https://example.com/"}))
        .await
        .expect(403);
    house.clock.advance(Duration::from_secs(7 * 24 * 3600));
    house.ask(&token, &list, Value::Null).await.expect(401);
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

/// A portal's token that was asked for with this body.
async fn portal(house: &House, app: &str, body: Value) -> String {
    let what = format!("POST /auth/app-portal-access/{app}");
    text(&house.admin(&what, body).await.expect(200)["token"])
}

#[tokio::test]
async fn a_portal_has_the_capabilities_that_were_asked_for_and_no_others() {
    let house = House::new().await;
    let app = house.application().await;
    let (endpoint, message) = (house.endpoint(&app).await, house.message(&app).await);
    let at = format!("/app/{app}/endpoint/{endpoint}");
    let calls = [
        format!("GET {at}"),
        format!("PATCH {at}"),
        format!("GET {at}/secret"),
        format!("POST {at}/secret/rotate"),
        format!("POST /app/{app}/msg/{message}/endpoint/{endpoint}/resend"),
    ];
    for (body, allowed) in [
        (json!({}), [true, true, true, true, true]),
        (
            json!({"readOnly": true}),
            [true, false, false, false, false],
        ),
        (
            json!({"capabilities": ["ViewBase"]}),
            [true, false, false, false, false],
        ),
        (
            json!({"capabilities": ["ViewEndpointSecret"]}),
            [true, false, true, false, false],
        ),
        (
            json!({"capabilities": ["ManageEndpointSecret"]}),
            [true, false, true, true, false],
        ),
        (
            json!({"capabilities": ["ManageEndpoint"]}),
            [true, true, true, true, false],
        ),
        (
            json!({"capabilities": ["CreateAttempts"]}),
            [true, false, false, false, true],
        ),
    ] {
        let token = portal(&house, &app, body.clone()).await;
        for (what, allowed) in calls.iter().zip(allowed) {
            let answer = house.ask(&token, what, json!({})).await;
            assert_eq!(answer.status != 403, allowed, "{what} with {body}");
        }
    }
    let what = format!("POST /auth/app-portal-access/{app}");
    let answer = house
        .admin(&what, json!({"capabilities": ["Fly"]}))
        .await
        .expect(422);
    assert!(
        answer.to_string().contains("expected one of ViewBase, "),
        "{answer}"
    );
}

#[tokio::test]
async fn a_portal_sees_event_types_of_its_flags() {
    let house = House::new().await;
    let app = house.application().await;
    for (name, flag) in [
        ("open", Value::Null),
        ("beta", json!("beta")),
        ("alpha", json!("alpha")),
    ] {
        let body = json!({"name": name, "description": "d", "featureFlag": flag});
        house.admin("POST /event-type", body).await.expect(201);
    }
    for (flags, seen) in [
        (json!([]), vec!["open"]),
        (json!(["beta"]), vec!["beta", "open"]),
        (
            json!(["alpha", "beta", "other"]),
            vec!["alpha", "beta", "open"],
        ),
    ] {
        let token = portal(&house, &app, json!({"featureFlags": flags})).await;
        // The second time it is answered from memory.
        for _ in 0..2 {
            let listed = house
                .ask(&token, "GET /event-type", Value::Null)
                .await
                .expect(200);
            let names = listed["data"].as_array().unwrap().iter();
            let names: Vec<_> = names.map(|one| text(&one["name"])).collect();
            assert_eq!(names, seen);
        }
        let hidden = house
            .ask(&token, "GET /event-type/alpha", Value::Null)
            .await;
        assert_eq!(hidden.status == 200, seen.contains(&"alpha"));
    }
}

#[tokio::test]
async fn a_portal_does_not_subscribe_to_event_types_that_it_does_not_see() {
    let house = House::new().await;
    let app = house.application().await;
    for (name, flag) in [("open", Value::Null), ("beta", json!("beta"))] {
        let body = json!({"name": name, "description": "d", "featureFlag": flag});
        house.admin("POST /event-type", body).await.expect(201);
    }
    let seeing = portal(&house, &app, json!({"featureFlags": ["beta"]})).await;
    let blind = portal(&house, &app, json!({"featureFlags": ["other"]})).await;
    let wanted = |types: &[&str]| json!({"url": house.url, "eventTypes": types});
    let create = format!("POST /app/{app}/endpoint");
    let made = house.ask(&seeing, &create, wanted(&["beta", "open"])).await;
    let theirs = text(&made.expect(201)["id"]);
    let made = house.ask(&blind, &create, wanted(&["open"])).await;
    let own = text(&made.expect(201)["id"]);
    for what in [
        create,
        format!("PUT /app/{app}/endpoint/{own}"),
        format!("PUT /app/{app}/endpoint/new"),
        format!("PATCH /app/{app}/endpoint/{own}"),
    ] {
        let refused = house.ask(&blind, &what, wanted(&["open", "beta"])).await;
        let fault = &refused.expect(422)["detail"][0];
        assert_eq!(fault["loc"], json!(["body", "eventTypes"]), "{what}");
        assert_eq!(fault["msg"], "there is no event type `beta`", "{what}");
    }
    for verb in ["PUT", "PATCH"] {
        let what = format!("{verb} /app/{app}/endpoint/{theirs}");
        let kept = house.ask(&blind, &what, wanted(&["beta", "open"])).await;
        assert_eq!(kept.expect(200)["eventTypes"], json!(["beta", "open"]));
    }
}

#[tokio::test]
async fn endpoints_keep_event_types_that_are_archived() {
    let house = House::new().await;
    let app = house.application().await;
    let body = json!({"name": "old.type", "description": "d"});
    house.admin("POST /event-type", body).await.expect(201);
    let body = json!({"url": house.url, "eventTypes": ["old.type"]});
    let create = format!("POST /app/{app}/endpoint");
    let made = house.admin(&create, body.clone()).await.expect(201);
    let at = format!("/app/{app}/endpoint/{}", text(&made["id"]));
    let archived = house
        .admin("DELETE /event-type/old.type", Value::Null)
        .await;
    assert_eq!(archived.status, 204);
    let read = house.admin(&format!("GET {at}"), Value::Null).await;
    assert_eq!(read.expect(200)["eventTypes"], json!(["old.type"]));
    let written = house.admin(&format!("PUT {at}"), body).await.expect(200);
    assert_eq!(written["eventTypes"], json!(["old.type"]));
    let sent = json!({"eventType": "old.type", "payload": {}});
    let sent = house.admin(&format!("POST /app/{app}/msg"), sent).await;
    let what = format!(
        "GET /app/{app}/msg/{}/endpoint",
        text(&sent.expect(202)["id"])
    );
    house
        .until(&what, |owed| owed["data"][0]["status"] == 0)
        .await;
}

#[tokio::test]
async fn which_address_is_refused_is_for_operators() {
    let house = House::new().await;
    let app = house.application().await;
    let made = house.endpoint(&app).await;
    let scoped = [
        portal(&house, &app, json!({})).await,
        house
            .key(json!({"name": "k", "role": "admin", "appId": app}))
            .await,
    ];
    for (url, public, private) in [
        (
            "http://0x0a000007/",
            "refused: an endpoint cannot be at a private or reserved address",
            "10.0.0.7 is in 10.0.0.0/8 ",
        ),
        (
            "http://93.184.216.34:25/",
            "refused: an endpoint cannot be at this port",
            "delivery.allow_ports",
        ),
    ] {
        for what in [
            format!("POST /app/{app}/endpoint"),
            format!("PUT /app/{app}/endpoint/{made}"),
            format!("PATCH /app/{app}/endpoint/{made}"),
        ] {
            let body = json!({"url": url});
            let told = house.admin(&what, body.clone()).await.expect(422);
            let told = text(&told["detail"][0]["msg"]);
            assert!(told.contains(private), "{told}");
            for token in &scoped {
                let told = house.ask(token, &what, body.clone()).await.expect(422);
                assert_eq!(told["detail"][0]["msg"], public, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn the_tokens_of_an_application_or_of_a_session_end_together() {
    let house = House::new().await;
    let (app, other) = (house.application().await, house.application().await);
    let one = portal(&house, &app, json!({"sessionId": "s-1"})).await;
    let two = portal(&house, &app, json!({"sessionId": "s-2"})).await;
    let theirs = portal(&house, &other, json!({"sessionId": "s-1"})).await;
    let program = house
        .key(json!({"name": "p", "role": "reader", "appId": app}))
        .await;
    let works = async |token: &str, app: &str| {
        let what = format!("GET /app/{app}/endpoint");
        house.ask(token, &what, Value::Null).await.status == 200
    };
    assert!(works(&one, &app).await && works(&two, &app).await && works(&theirs, &other).await);
    let what = format!("POST /auth/app/{app}/expire-all");
    let ended = house.admin(&what, json!({"sessionIds": ["s-1"]})).await;
    assert_eq!(ended.status, 204);
    assert!(!works(&one, &app).await && works(&two, &app).await && works(&theirs, &other).await);
    house.ask(&two, &what, json!({})).await.expect(403);
    assert_eq!(house.admin(&what, json!({"expiry": 60})).await.status, 204);
    assert!(works(&two, &app).await);
    house.clock.advance(Duration::from_secs(61));
    assert!(!works(&two, &app).await);
    assert!(
        works(&program, &app).await,
        "a program's key is none of a portal"
    );
    house
        .admin(&what, json!({"expiry": 604_801, "sessionIds": [""]}))
        .await
        .expect(422);
}
