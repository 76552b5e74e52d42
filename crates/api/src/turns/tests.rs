//! Who waits for whom.

use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::thread;

use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use http::StatusCode;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use super::*;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);

fn app(name: &str) -> Whose {
    (None, Some(name.to_owned()))
}

fn waits(taking: Pin<&mut impl Future<Output = Result<Turn, Problem>>>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    taking.poll(&mut context).is_pending()
}

#[tokio::test]
async fn an_application_waits_for_itself_and_not_for_another() {
    let turns = Arc::new(Turns::with_patience(LONG));
    let first = turns.take(app("a")).await.unwrap();
    let mut others: Vec<_> = (1..PRESENT)
        .map(|_| Box::pin(turns.take(app("a"))))
        .collect();
    for other in &mut others {
        assert!(waits(other.as_mut()));
    }
    let refused = turns.take(app("a")).await.err().unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(turns.take(app("b")).await.unwrap());
    drop(first);
    assert!(!waits(others[0].as_mut()));
    drop(others);
    assert!(turns.lines.lock().is_empty());
}

#[tokio::test]
async fn only_so_many_are_made_at_once_and_applications_take_turns() {
    let turns = Arc::new(Turns::with_patience(LONG));
    let a = turns.take(app("a")).await.unwrap();
    let _b = turns.take(app("b")).await.unwrap();
    let mut again = pin!(turns.take(app("a")));
    let mut c = pin!(turns.take(app("c")));
    assert!(waits(again.as_mut()) && waits(c.as_mut()));
    drop(a);
    assert!(waits(again.as_mut()), "whoever asks again stands behind");
    assert!(!waits(c.as_mut()));
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let turns = Arc::new(Turns::with_patience(Duration::from_millis(1)));
    let _first = turns.take(app("a")).await.unwrap();
    let refused = turns.take(app("a")).await.err().unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_list_is_made_off_the_threads_that_serve_and_its_turn_outlives_the_client() {
    let (turns, goes_on) = (Arc::new(Turns::default()), Arc::new(Notify::new()));
    let made_by = async || format!("{:?}", thread::current().id());
    let wait = Arc::clone(&goes_on);
    let router = Router::new()
        .route("/api/v1/app/{app_id}/endpoint", get(made_by))
        .route("/api/v1/app/{app_id}", get(made_by))
        .route(
            "/api/v1/app/{app_id}/msg",
            get(async move || wait.notified().await),
        )
        .route_layer(from_fn_with_state(Arc::clone(&turns), in_turn));
    let ask = |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request)
    };
    let here = format!("{:?}", thread::current().id());
    for (path, by_another) in [("/api/v1/app/a/endpoint", true), ("/api/v1/app/a", false)] {
        let body = ask(path).await.unwrap().into_body();
        let by = axum::body::to_bytes(body, 100).await.unwrap();
        assert_eq!(by != here.as_bytes(), by_another, "{path}");
    }
    let mut leaves = Box::pin(ask("/api/v1/app/a/msg"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(leaves.as_mut().poll(&mut context).is_pending());
    drop(leaves);
    assert_eq!(turns.lines.lock()[&app("a")].present, 1);
    goes_on.notify_one();
    drop(turns.take(app("a")).await.unwrap());
    assert!(turns.lines.lock().is_empty());
}

#[test]
fn lists_and_messages_may_be_long() {
    for route in [
        "/api/v1/app",
        "/api/v1/event-type",
        "/api/v1/app/{app_id}/endpoint",
        "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}",
        "/api/v1/app/{app_id}/msg/{msg_id}",
    ] {
        assert!(is_long(route), "{route}");
    }
    for route in [
        "/api/v1/app/{app_id}",
        "/api/v1/app/{app_id}/endpoint/{endpoint_id}",
    ] {
        assert!(!is_long(route), "{route}");
    }
}
