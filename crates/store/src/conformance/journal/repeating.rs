//! What repeating a request means: idempotency keys and event ids.

use std::time::Duration;

use super::key;
use crate::conformance::Bench;
use crate::{Accept, AcceptRefused, Accepted, MessageRef, StoreError};

pub(super) async fn a_repeated_key_gives_the_first_message(bench: &Bench) {
    let app = bench.app().await;
    let (first, second) = (bench.message(app), bench.message(app));
    let (first_id, second_id) = (first.id, second.id);
    let accept = Accept {
        idempotency: key(1, 1),
        ..bench.to_accept(first, &[])
    };
    assert_eq!(bench.accept(accept).await, Ok(Accepted::New));
    let accept = Accept {
        idempotency: key(1, 1),
        ..bench.to_accept(second, &[])
    };
    assert_eq!(bench.accept(accept).await, Ok(Accepted::Repeated(first_id)));
    let missing = bench
        .store
        .message(app, MessageRef::Id(second_id), false)
        .await;
    assert_eq!(missing, Err(StoreError::NotFound));
}

pub(super) async fn a_key_with_another_body_is_refused(bench: &Bench) {
    let app = bench.app().await;
    let accept = Accept {
        idempotency: key(1, 1),
        ..bench.to_accept(bench.message(app), &[])
    };
    assert_eq!(bench.accept(accept).await, Ok(Accepted::New));
    let accept = Accept {
        idempotency: key(1, 2),
        ..bench.to_accept(bench.message(app), &[])
    };
    assert_eq!(bench.accept(accept).await, Err(AcceptRefused::KeyReused));
    let accept = Accept {
        idempotency: key(2, 2),
        ..bench.to_accept(bench.message(app), &[])
    };
    assert_eq!(bench.accept(accept).await, Ok(Accepted::New));
}

pub(super) async fn two_requests_with_one_key_in_one_batch_make_one_message(bench: &Bench) {
    let app = bench.app().await;
    let accepts: Vec<_> = (0..20)
        .map(|_| Accept {
            idempotency: key(1, 1),
            ..bench.to_accept(bench.message(app), &[])
        })
        .collect();
    let ids: Vec<_> = accepts.iter().map(|accept| accept.message.id).collect();
    let answers = bench.accept_all(accepts).await;
    let is_new = |answer: &Result<Accepted, AcceptRefused>| *answer == Ok(Accepted::New);
    let first = answers.iter().position(is_new).expect("one was accepted");
    for (place, answer) in answers.iter().enumerate() {
        if place != first {
            assert_eq!(*answer, Ok(Accepted::Repeated(ids[first])));
        }
    }
}

pub(super) async fn a_key_is_forgotten_after_a_day(bench: &Bench) {
    let app = bench.app().await;
    let accept = Accept {
        idempotency: key(1, 1),
        ..bench.to_accept(bench.message(app), &[])
    };
    assert_eq!(bench.accept(accept).await, Ok(Accepted::New));
    bench.pass(Duration::from_secs(24 * 3600));
    let again = bench.message(app);
    let id = again.id;
    let accept = Accept {
        idempotency: key(1, 2),
        ..bench.to_accept(again, &[])
    };
    assert_eq!(bench.accept(accept).await, Ok(Accepted::New));
    let accept = Accept {
        idempotency: key(1, 2),
        ..bench.to_accept(bench.message(app), &[])
    };
    assert_eq!(bench.accept(accept).await, Ok(Accepted::Repeated(id)));
}

pub(super) async fn an_event_id_is_taken_for_a_day(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let accept = |app| {
        let mut message = bench.message(app);
        message.event_id = Some("paid-1".parse().expect("a uid"));
        bench.accept(bench.to_accept(message, &[]))
    };
    assert_eq!(accept(app).await, Ok(Accepted::New));
    assert_eq!(accept(app).await, Err(AcceptRefused::EventIdTaken));
    assert_eq!(accept(other).await, Ok(Accepted::New));
    bench.pass(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(accept(app).await, Ok(Accepted::New));
}

pub(super) async fn a_refused_message_leaves_its_key_unused(bench: &Bench) {
    let app = bench.app().await;
    let event_id = Some("paid-1".parse().expect("a uid"));
    let mut message = bench.message(app);
    message.event_id.clone_from(&event_id);
    assert_eq!(
        bench.accept(bench.to_accept(message, &[])).await,
        Ok(Accepted::New)
    );
    let mut message = bench.message(app);
    message.event_id = event_id;
    let accept = Accept {
        idempotency: key(1, 1),
        ..bench.to_accept(message, &[])
    };
    assert_eq!(bench.accept(accept).await, Err(AcceptRefused::EventIdTaken));
    let accept = Accept {
        idempotency: key(1, 2),
        ..bench.to_accept(bench.message(app), &[])
    };
    assert_eq!(bench.accept(accept).await, Ok(Accepted::New));
}
