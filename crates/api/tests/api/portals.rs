//! What a portal may do, and what it sees.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{House, text};

/// A portal's token that was asked for with this body.
async fn portal(house: &House, app: &str, body: Value) -> String {
    let what = format!("POST /auth/app-portal-access/{app}");
    text(&house.admin(&what, body).await.expect(200)["token"])
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
