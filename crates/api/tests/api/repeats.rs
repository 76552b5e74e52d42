//! What is repeated under an idempotency key has one effect and one answer.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::house::{ADMIN, House, request};

fn keyed(what: &str, key: &str, body: Value) -> Request<Full<Bytes>> {
    let mut request = request(ADMIN, what, body);
    request
        .headers_mut()
        .insert("idempotency-key", key.parse().expect("a header"));
    request
}

#[tokio::test]
async fn a_repeated_message_is_one_message_by_either_way() {
    let house = House::new().await;
    let app = house.application().await;
    let what = format!("POST /app/{app}/msg");
    let body = json!({"eventType": "a.b", "payload": [1]});
    let first = house
        .send(keyed(&what, "one", body.clone()))
        .await
        .expect(202);
    let again = house
        .send(keyed(&what, "\"one\"", body.clone()))
        .await
        .expect(202);
    let routed = house.route(keyed(&what, "one", body)).await.expect(202);
    assert_eq!(first, again);
    assert_eq!(first, routed);
    let other = house
        .send(keyed(
            &what,
            "one",
            json!({"eventType": "a.b", "payload": 2}),
        ))
        .await;
    let other = other.expect(422);
    assert_eq!(other["code"], "idempotency_key_reused");
    assert_eq!(
        other["detail"][0]["loc"],
        json!(["header", "idempotency-key"])
    );
    let listed = house
        .admin(&format!("GET /app/{app}/msg"), Value::Null)
        .await
        .expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn other_posts_keep_the_promise_too() {
    let house = House::new().await;
    let first = house
        .send(keyed("POST /app", "k", json!({"name": "a"})))
        .await;
    let again = house
        .send(keyed("POST /app", "k", json!({"name": "a"})))
        .await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(first.json(), again.json());
    house
        .send(keyed("POST /app", "k", json!({"name": "b"})))
        .await
        .expect(422);
    house
        .send(keyed("POST /app", "x", json!({})))
        .await
        .expect(422);
    house
        .send(keyed("POST /app", "x", json!({"name": "c"})))
        .await
        .expect(201);
    house
        .send(keyed("POST /app", &"k".repeat(257), json!({"name": "c"})))
        .await
        .expect(422);
}

#[tokio::test]
async fn a_race_has_one_effect() {
    let house = House::new().await;
    let racers = (0..16).map(|_| house.send(keyed("POST /app", "race", json!({"name": "r"}))));
    let mut ids = std::collections::BTreeSet::new();
    for answer in join_all(racers).await {
        ids.insert(answer.expect(201)["id"].to_string());
    }
    assert_eq!(ids.len(), 1);
    let listed = house.admin("GET /app", Value::Null).await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

/// All at once, on this task.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures
        .map(|future| (Some(Box::pin(future)), None))
        .collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut waiting {
            if let Some(running) = future
                && let std::task::Poll::Ready(ready) = running.as_mut().poll(context)
            {
                (*future, *output) = (None, Some(ready));
            }
        }
        if waiting.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}
