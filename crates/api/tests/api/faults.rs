//! What is wrong with a request: one answer names all of it, each by its field, and says what would do.

use serde_json::{Value, json};

use crate::house::{ADMIN, House, request, text};

fn faults(answer: &Value) -> Vec<(String, String)> {
    let all = answer["detail"].as_array().expect("a list of faults");
    let one = |fault: &Value| {
        assert!(fault["type"].is_string(), "{fault}");
        let way: Vec<_> = fault["loc"]
            .as_array()
            .expect("a way")
            .iter()
            .map(text)
            .collect();
        (way.join("."), text(&fault["msg"]))
    };
    all.iter().map(one).collect()
}

fn fields(answer: &Value) -> Vec<String> {
    faults(answer).into_iter().map(|(way, _)| way).collect()
}

#[tokio::test]
async fn one_answer_names_every_field_whatever_is_wrong_with_it() {
    let house = House::new().await;
    let app = house.application().await;
    let body = json!({"url": 5, "description": [], "uid": "ep_x", "channels": ["a b", 3], "throttleRate": 0,
        "retrySchedule": {}, "signatureHeaders": "none", "metadata": {"a": 1}, "secret": "w", "disabled": "no"});
    let answer = house
        .admin(&format!("POST /app/{app}/endpoint"), body)
        .await
        .expect(422);
    let mut named = fields(&answer);
    named.sort();
    assert_eq!(
        named,
        [
            "body.channels",
            "body.channels.1",
            "body.description",
            "body.disabled",
            "body.metadata.a",
            "body.retrySchedule",
            "body.secret",
            "body.signatureHeaders",
            "body.throttleRate",
            "body.uid",
            "body.url",
        ]
    );
    for word in [
        "untagged",
        "enum",
        "variant",
        "struct",
        "nonzero",
        "u16",
        "invalid type",
        "expected one of `",
    ] {
        assert!(!answer.to_string().contains(word), "{word}: {answer}");
    }

    let body = json!({"eventType": 7, "payload": {}, "channels": [1, "a b"], "deliverAt": "soon",
        "payloadRetentionPeriod": 900, "eventId": "a b", "application": {"name": "", "uid": 5}});
    let answer = house
        .admin(&format!("POST /app/{app}/msg"), body)
        .await
        .expect(422);
    let mut named = fields(&answer);
    named.sort();
    assert_eq!(
        named,
        [
            "body.application.name",
            "body.application.uid",
            "body.channels",
            "body.channels.0",
            "body.deliverAt",
            "body.eventId",
            "body.eventType",
            "body.payloadRetentionPeriod",
        ]
    );
    let body = json!({"eventType": "a", "application": {"name": ""}});
    let answer = house
        .admin(&format!("POST /app/{app}/msg"), body)
        .await
        .expect(422);
    assert_eq!(fields(&answer), ["body.application.name", "body.payload"]);

    let body = json!({"expiry": 5, "readOnly": "yes", "application": {"uid": "x", "name": 4}});
    let answer = house
        .admin("POST /auth/app-portal-access/x", body)
        .await
        .expect(422);
    assert_eq!(
        fields(&answer),
        ["body.application.name", "body.readOnly", "body.expiry"]
    );
}

#[tokio::test]
async fn what_a_query_expects_is_said_in_our_words() {
    let house = House::new().await;
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    for (query, expected) in [
        ("limit=x", "expected a whole number from 1 to 250"),
        ("limit=-1", "expected a whole number from 1 to 250"),
        (
            "limit=99999999999999999999999",
            "expected a whole number from 1 to 250",
        ),
        (
            "status=9",
            "expected 0 (success), 1 (pending), 2 (fail), 3 (sending) or 4 (canceled)",
        ),
        (
            "status=-1",
            "expected 0 (success), 1 (pending), 2 (fail), 3 (sending) or 4 (canceled)",
        ),
        (
            "status_code_class=99999999",
            "expected 0 (no answer), 100, 200, 300, 400 or 500",
        ),
        (
            "before=tomorrow",
            "expected a date and time as in RFC 3339, such as 2026-11-22T12:00:00Z",
        ),
        ("with_content=7", "expected true or false"),
    ] {
        let what = format!("GET /app/{app}/attempt/endpoint/{endpoint}?{query}");
        let answer = house.admin(&what, Value::Null).await.expect(422);
        let name = query.split_once('=').unwrap().0;
        assert_eq!(
            faults(&answer),
            [(format!("query.{name}"), expected.to_owned())]
        );
    }
}

#[tokio::test]
async fn an_application_on_the_fly_with_another_uid_is_named_by_its_type() {
    let house = House::new().await;
    for (inline, kind) in [
        (json!({"name": "a"}), "application_uid_missing"),
        (json!({"name": "a", "uid": "b"}), "application_uid_mismatch"),
    ] {
        let message = json!({"eventType": "a.b", "payload": {}, "application": inline});
        for (what, body) in [
            ("POST /app/a/msg", message),
            (
                "POST /auth/app-portal-access/a",
                json!({"application": inline}),
            ),
        ] {
            let answer = house.admin(what, body).await.expect(422);
            assert_eq!(answer["code"], "validation", "{what}");
            let fault = &answer["detail"][0];
            assert_eq!(fault["loc"], json!(["body", "application"]), "{what}");
            assert_eq!(fault["type"], kind, "{what}");
        }
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_named_beside_what_is_wrong_in_the_body_or_a_header() {
    let house = House::new().await;
    let answer = house
        .admin("POST /app?get_if_exists=maybe", json!({"name": 1}))
        .await;
    let named = faults(&answer.expect(422));
    let places: Vec<_> = named.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["query.get_if_exists", "body.name"]);
    let app = house.application().await;
    let what = format!("POST /app/{app}/msg?with_content=maybe");
    let mut request = request(ADMIN, &what, json!({"eventType": "a.b", "payload": {}}));
    let key = "k".repeat(257).parse().expect("a header");
    request.headers_mut().insert("idempotency-key", key);
    let named = faults(&house.send(request).await.expect(422));
    let places: Vec<_> = named.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["query.with_content", "header.idempotency-key"]);
}

#[tokio::test]
async fn headers_that_are_too_much_together_change_nothing() {
    let house = House::new().await;
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    let at = format!("/app/{app}/endpoint/{endpoint}/headers");
    let long = "v".repeat(4_000);
    let four = json!({"x-1": long, "x-2": long, "x-3": long, "x-4": long});
    let set = json!({"headers": four.clone()});
    house.admin(&format!("PUT {at}"), set).await.expect(204);

    let more = json!({"headers": {"x-5": long}});
    let told = faults(&house.admin(&format!("PATCH {at}"), more).await.expect(422));
    let ("body.headers", what) = (told[0].0.as_str(), &told[0].1) else {
        panic!("{told:?}");
    };
    assert!(
        what.contains("20015 bytes") && what.contains("16384") && what.contains("remove"),
        "{what}"
    );
    let kept = house
        .admin(&format!("GET {at}"), Value::Null)
        .await
        .expect(200);
    assert_eq!(kept["headers"], four);

    let other = json!({"headers": {"x-5": long, "x-4": null}});
    house.admin(&format!("PATCH {at}"), other).await.expect(204);
}

#[tokio::test]
async fn errors_name_the_way_out() {
    let house = House::new().await;
    let app = house.application().await;
    let told = async |what: &str, body: Value| {
        let what = format!("POST /app/{app}/{what}");
        faults(&house.admin(&what, body).await.expect(422))
    };
    let body = json!({"url": house.url, "channels": []});
    let (field, what) = told("endpoint", body).await.remove(0);
    assert_eq!(field, "body.channels");
    assert!(what.contains("null, or leaving it out"), "{what}");
    let two = json!({"eventType": "a.b", "payload": {}, "payloadText": "x"});
    for body in [two, json!({"eventType": "a.b"})] {
        let (field, what) = told("msg", body).await.remove(0);
        assert_eq!(field, "body.payload");
        assert!(what.starts_with("exactly one of"), "{what}");
    }
}
