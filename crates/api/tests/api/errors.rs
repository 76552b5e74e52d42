//! Errors that help: what is missing, what is needed, and what clashes.

use serde_json::{Value, json};

use crate::house::{House, text};

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
