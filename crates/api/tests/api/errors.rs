//! Errors that help: what is missing, what is needed, what clashes, and everything that is wrong.

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
async fn what_is_missing_is_named() {
    let house = House::new().await;
    let app = house.application().await;
    let endpoint = house.endpoint(&app).await;
    let message = house.message(&app).await;
    let (none, at) = ("0".repeat(27), format!("/app/{app}"));
    let body =
        json!({"name": "x", "url": "https://example.com/", "description": "d", "headers": {}});
    for (what, detail) in [
        (
            "GET /app/nobody".to_owned(),
            "there is no application `nobody`",
        ),
        (
            format!("GET /app/app_{none}/msg"),
            "there is no application `app_000000000000000000000000000`",
        ),
        (
            "PATCH /app/app_x".to_owned(),
            "there is no application `app_x`",
        ),
        (
            "DELETE /app/nobody".to_owned(),
            "there is no application `nobody`",
        ),
        (
            "POST /app/nobody/msg".to_owned(),
            "there is no application `nobody`",
        ),
        (
            "POST /auth/app-portal-access/nobody".to_owned(),
            "there is no application `nobody`",
        ),
        (
            "GET /key?app_id=nobody".to_owned(),
            "there is no application `nobody`",
        ),
        (
            format!("GET {at}/endpoint/ep_x"),
            "there is no endpoint `ep_x` in this application",
        ),
        (
            format!("PUT {at}/endpoint/ep_x"),
            "there is no endpoint `ep_x` in this application",
        ),
        (
            format!("PATCH {at}/endpoint/none"),
            "there is no endpoint `none` in this application",
        ),
        (
            format!("DELETE {at}/endpoint/none"),
            "there is no endpoint `none` in this application",
        ),
        (
            format!("GET {at}/endpoint/none/stats"),
            "there is no endpoint `none` in this application",
        ),
        (
            format!("GET {at}/msg/none"),
            "there is no message `none` in this application",
        ),
        (
            format!("POST {at}/msg/none/endpoint/{endpoint}/resend"),
            "there is no message `none` in this application",
        ),
        (
            format!("POST {at}/msg/{message}/endpoint/none/resend"),
            "there is no endpoint `none` in this application",
        ),
        (
            format!("GET {at}/msg/{message}/attempt/none"),
            "there is no attempt `none` at this message",
        ),
        (
            format!("GET {at}/attempt/msg/{message}?endpoint_id=none"),
            "there is no endpoint `none` in this application",
        ),
        (
            "GET /event-type/no.such".to_owned(),
            "there is no event type `no.such`",
        ),
        (
            "PATCH /event-type/no.such".to_owned(),
            "there is no event type `no.such`",
        ),
        (
            "DELETE /event-type/no.such".to_owned(),
            "there is no event type `no.such`",
        ),
        ("DELETE /key/key_x".to_owned(), "there is no key `key_x`"),
        (
            "GET /nothing".to_owned(),
            "there is no such path; /docs shows those that there are",
        ),
    ] {
        let answer = house.admin(&what, body.clone()).await.expect(404);
        assert_eq!(
            (text(&answer["code"]), text(&answer["detail"])),
            ("not_found".into(), detail.into()),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_foreign_application_reads_like_one_that_is_not_there() {
    let house = House::new().await;
    let (own, foreign) = (house.application().await, house.application().await);
    let access = house
        .admin(&format!("POST /auth/app-portal-access/{own}"), json!({}))
        .await;
    let portal = text(&access.expect(200)["token"]);
    let told = async |app: &str| {
        let answer = house
            .ask(&portal, &format!("GET /app/{app}/endpoint"), Value::Null)
            .await;
        text(&answer.expect(404)["detail"]).replace(app, "…")
    };
    let none = format!("{}{}", &foreign[..foreign.len() - 2], "zz");
    assert_eq!(told(&foreign).await, told(&none).await);
}

#[tokio::test]
async fn what_is_not_allowed_says_who_may() {
    let house = House::new().await;
    let app = house.application().await;
    let reader = house.key(json!({"name": "r", "role": "reader"})).await;
    // A body of wrong types tells nobody what they may not ask.
    let body = json!({"eventType": 5, "payload": 1, "name": 7});
    let answer = house
        .ask(&reader, &format!("POST /app/{app}/msg"), body.clone())
        .await
        .expect(403);
    let expected = "this token has the role reader and may not send messages; it takes a token of the role admin or sender";
    assert_eq!(text(&answer["detail"]), expected);
    let limited = house
        .key(json!({"name": "a", "role": "admin", "appId": app}))
        .await;
    let answer = house.ask(&limited, "POST /app", body).await.expect(403);
    assert!(
        text(&answer["detail"]).contains("limited to one application"),
        "{answer}"
    );
    let answer = house
        .admin("POST /auth/logout", Value::Null)
        .await
        .expect(403);
    assert!(
        text(&answer["detail"]).contains("DELETE /api/v1/key"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_clashes_is_named() {
    let house = House::new().await;
    let make = json!({"name": "a", "uid": "taken"});
    house.admin("POST /app", make.clone()).await.expect(201);
    let other = house.application().await;
    let detail = "another application has the uid `taken`";
    for what in [
        "POST /app".to_owned(),
        format!("PATCH /app/{other}"),
        format!("PUT /app/{other}"),
    ] {
        let answer = house.admin(&what, make.clone()).await.expect(409);
        assert_eq!(text(&answer["detail"]), detail, "{what}");
    }
    let make = json!({"url": "https://example.com/", "uid": "e"});
    house
        .admin(&format!("POST /app/{other}/endpoint"), make.clone())
        .await
        .expect(201);
    let second = house.endpoint(&other).await;
    let detail = "another endpoint in this application has the uid `e`";
    let at = format!("/app/{other}/endpoint");
    for what in [
        format!("POST {at}"),
        format!("PATCH {at}/{second}"),
        format!("PUT {at}/{second}"),
    ] {
        let answer = house.admin(&what, make.clone()).await.expect(409);
        assert_eq!(text(&answer["detail"]), detail, "{what}");
    }
    let make = json!({"name": "a.b", "description": "d"});
    house
        .admin("POST /event-type", make.clone())
        .await
        .expect(201);
    let answer = house.admin("POST /event-type", make).await.expect(409);
    assert_eq!(text(&answer["code"]), "event_type_exists");
    assert!(text(&answer["detail"]).contains("`a.b`"), "{answer}");
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
