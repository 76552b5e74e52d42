//! What is created, sent and looked up.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use crate::house::{House, text};

#[tokio::test]
async fn a_message_arrives_as_it_was_sent_and_can_be_looked_up() {
    let house = House::new().await;
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    let mut request = crate::house::request(
        crate::house::ADMIN,
        &format!("POST /app/{app}/msg/"),
        Value::Null,
    );
    let body =
        r#"{"eventType":"a.b","eventId":"evt-1","channels":["x"],"payload": {"b":1.0, "a":2}}"#;
    *request.body_mut() = body.into();
    let made = house.send(request).await;
    assert!(made.headers.contains_key("x-request-id"));
    let made = made.expect(202);
    let id = text(&made["id"]);
    let path = format!("GET /app/{app}/msg/{id}/endpoint");
    let listed = house
        .until(&path, |all| all["data"][0]["status"] == 0)
        .await;
    assert_eq!(listed["data"][0]["id"], endpoint.as_str());
    let arrived = house.receiver.arrived.lock().clone();
    assert_eq!(arrived, [(id.clone(), r#"{"b":1.0, "a":2}"#.into())]);

    let got = house
        .admin(&format!("GET /app/{app}/msg/evt-1"), Value::Null)
        .await
        .expect(200);
    assert_eq!(got, made);
    let bare = format!("GET /app/{app}/msg/{id}?with_content=false");
    assert_eq!(
        house.admin(&bare, Value::Null).await.expect(200)["payload"],
        json!({})
    );

    let attempts = house
        .admin(&format!("GET /app/{app}/attempt/msg/{id}"), Value::Null)
        .await;
    let attempt = &attempts.expect(200)["data"][0];
    assert_eq!(
        (&attempt["response"], &attempt["responseStatusCode"]),
        (&json!("thanks"), &json!(200))
    );
    assert!(
        text(&attempt["address"]).starts_with("127.0.0.1:"),
        "{attempt}"
    );
    assert_eq!(attempt["responseHeaders"]["x-a"], "1");
    let one = format!("GET /app/{app}/msg/{id}/attempt/{}", text(&attempt["id"]));
    assert_eq!(
        house.admin(&one, Value::Null).await.expect(200)["id"],
        attempt["id"]
    );
}

#[tokio::test]
async fn customers_do_not_learn_about_the_network() {
    let house = House::new().await;
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    house.message(&app).await;
    let path = format!("GET /app/{app}/attempt/endpoint/{endpoint}");
    let seen = house.until(&path, |all| !all["data"][0].is_null()).await;
    for field in ["address", "timings"] {
        assert!(
            seen["data"][0].get(field).is_some(),
            "an operator sees {field}"
        );
    }
    let access = house
        .admin(&format!("POST /auth/app-portal-access/{app}"), json!({}))
        .await;
    let portal = text(&access.expect(200)["token"]);
    let reader = house
        .key(json!({"name": "r", "role": "reader", "appId": app}))
        .await;
    for token in [portal, reader] {
        let seen = house.ask(&token, &path, Value::Null).await.expect(200);
        assert_eq!(seen["data"][0]["response"], "thanks");
        for field in ["address", "timings", "detail"] {
            assert!(
                seen["data"][0].get(field).is_none(),
                "a customer does not see {field}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_gone_cannot_be_sent_again() {
    let house = House::new().await;
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    let message = house.message(&app).await;
    let path = format!("GET /app/{app}/msg/{message}/endpoint");
    house
        .until(&path, |all| all["data"][0]["status"] == 0)
        .await;
    let resend = format!("POST /app/{app}/msg/{message}/endpoint/{endpoint}/resend");
    assert_eq!(
        house.admin(&resend, Value::Null).await.expect(202),
        json!({})
    );
    let content = format!("DELETE /app/{app}/msg/{message}/content");
    assert_eq!(house.admin(&content, Value::Null).await.status, 204);
    assert_eq!(
        house.admin(&resend, Value::Null).await.expect(400)["code"],
        "missing_payload"
    );
    let got = house
        .admin(&format!("GET /app/{app}/msg/{message}"), Value::Null)
        .await;
    assert_eq!(got.expect(200)["payload"], json!({"expired": true}));
}

#[tokio::test]
async fn endpoints_keep_what_was_given_and_name_what_is_wrong() {
    let house = House::new().await;
    let app = house.application().await;
    house
        .admin(
            "POST /event-type",
            json!({"name": "a.b", "description": "d"}),
        )
        .await
        .expect(201);
    let create = format!("POST /app/{app}/endpoint");
    let body = json!({"url": "https://example.com/hook", "uid": "one", "eventTypes": ["a.b"],
        "throttleRate": 5, "concurrency": 3, "retrySchedule": [5, 300], "signatureHeaders": "both",
        "disabled": true, "headers": {"X-A": "1", "Authorization": "s"}, "future": 1});
    let made = house.admin(&create, body).await.expect(201);
    assert_eq!(
        (&made["retrySchedule"], &made["signatureHeaders"]),
        (&json!("5s,5m"), &json!("both"))
    );
    assert_eq!(
        (&made["disabled"], &made["disabledReason"]),
        (&json!(true), &json!("manual"))
    );
    let read = house
        .admin(&format!("GET /app/{app}/endpoint/one"), Value::Null)
        .await
        .expect(200);
    assert_eq!(read, made);
    let headers = format!("GET /app/{app}/endpoint/one/headers");
    let expected = json!({"headers": {"x-a": "1"}, "sensitive": ["authorization"]});
    assert_eq!(
        house.admin(&headers, Value::Null).await.expect(200),
        expected
    );

    let body = json!({"url": "ftp://x/", "eventTypes": ["no.such"], "channels": [], "secret": "w",
        "metadata": {"k": "v".repeat(5000)}, "headers": {"Host": "x"}, "uid": "ep_x"});
    let wrong = house.admin(&create, body).await.expect(422);
    let named: Vec<_> = wrong["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["loc"][1].as_str().unwrap())
        .collect();
    assert_eq!(
        named,
        [
            "url",
            "uid",
            "eventTypes",
            "channels",
            "secret",
            "headers",
            "metadata"
        ]
    );
    let private = house
        .admin(&create, json!({"url": "http://10.0.0.1/"}))
        .await
        .expect(422);
    assert_eq!(private["detail"][0]["loc"], json!(["body", "url"]));

    let patch = format!("PATCH /app/{app}/endpoint/one");
    let body = json!({"disabled": false, "retrySchedule": null, "eventTypes": null, "uid": "two"});
    let patched = house.admin(&patch, body).await.expect(200);
    assert_eq!(
        (&patched["disabled"], &patched["uid"]),
        (&json!(false), &json!("two"))
    );
    assert!(patched.get("eventTypes").is_none() && patched.get("retrySchedule").is_none());
    assert_eq!(patched["concurrency"], 3);
    assert_eq!(
        house.admin(&patch, json!({})).await.status,
        404,
        "it has another uid now"
    );
}

#[tokio::test]
async fn secrets_rotate_and_ed25519_shows_its_public_half() {
    let house = House::new().await;
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    let read = format!("GET /app/{app}/endpoint/{endpoint}/secret");
    let rotate = format!("POST /app/{app}/endpoint/{endpoint}/secret/rotate");
    let first = text(&house.admin(&read, Value::Null).await.expect(200)["key"]);
    let second = text(&house.admin(&rotate, json!({})).await.expect(200)["key"]);
    assert!(first.starts_with("whsec_") && second.starts_with("whsec_") && first != second);
    assert_eq!(
        house.admin(&read, Value::Null).await.expect(200)["key"],
        second.as_str()
    );
    let pair = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9l\
        MicMFs6Kvg==";
    let rotated = house.admin(&rotate, json!({"key": pair})).await.expect(200);
    assert_eq!(
        rotated["key"],
        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
    );
    for _ in 0..8 {
        house.admin(&rotate, json!({})).await.expect(200);
    }
    assert_eq!(
        house.admin(&rotate, json!({})).await.expect(400)["code"],
        "limit_reached"
    );
}

#[tokio::test]
async fn an_example_is_sent_as_the_schema_has_it() {
    let house = House::new().await;
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    let schema = json!({"1": {"type": "object", "examples": [{"total": 42}]}});
    let body = json!({"name": "e.x", "description": "d", "schemas": schema});
    house.admin("POST /event-type", body).await.expect(201);
    let send = format!("POST /app/{app}/endpoint/{endpoint}/send-example");
    let sent = house
        .admin(&send, json!({"eventType": "e.x"}))
        .await
        .expect(200);
    assert_eq!(sent["payload"], json!({"total": 42}));
    house
        .admin(&send, json!({"eventType": "svix.ping"}))
        .await
        .expect(200);
    house
        .admin(&send, json!({"eventType": "no.such"}))
        .await
        .expect(422);
}

#[tokio::test]
async fn statistics_and_recovery_have_windows() {
    let house = House::new().await;
    house.receiver.fails.store(true, Relaxed);
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    let message = house.message(&app).await;
    let path = format!("GET /app/{app}/msg/{message}/endpoint");
    house
        .until(&path, |all| all["data"][0]["status"] == 2)
        .await;
    let stats = format!("GET /app/{app}/endpoint/{endpoint}/stats");
    let counted = house.until(&stats, |stats| stats["fail"] == 1).await;
    assert_eq!(counted["pending"], 0);
    let future = format!("{stats}?until=2030-01-01T00:00:00Z");
    assert_eq!(
        house.admin(&future, Value::Null).await.expect(400)["code"],
        "invalid_range"
    );

    house.receiver.fails.store(false, Relaxed);
    let recover = format!("POST /app/{app}/endpoint/{endpoint}/recover");
    house.admin(&recover, json!({})).await.expect(422);
    let started = house
        .admin(&recover, json!({"since": "2027-01-15T00:00:00Z"}))
        .await
        .expect(202);
    assert!(text(&started["id"]).starts_with("qtask_"));
    house
        .until(&path, |all| all["data"][0]["status"] == 0)
        .await;
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
async fn null_clears_metadata() {
    let house = House::new().await;
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    for what in [
        format!("PATCH /app/{app}"),
        format!("PATCH /app/{app}/endpoint/{endpoint}"),
    ] {
        let set = house
            .admin(&what, json!({"metadata": {"a": "1"}}))
            .await
            .expect(200);
        assert_eq!(set["metadata"], json!({"a": "1"}));
        let kept = house.admin(&what, json!({})).await.expect(200);
        assert_eq!(kept["metadata"], json!({"a": "1"}));
        let cleared = house
            .admin(&what, json!({"metadata": null}))
            .await
            .expect(200);
        assert_eq!(cleared["metadata"], json!({}));
    }
}
