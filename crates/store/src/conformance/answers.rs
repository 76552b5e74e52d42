//! What keeping answers means.

use std::time::Duration;

use bytes::Bytes;

use super::{Bench, Ground, run};
use crate::{Accept, IDEMPOTENCY_KEPT, IdempotencyKey, KeptAnswer};

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        an_answer_is_given_again_for_a_day,
        an_answer_after_a_day_takes_the_place_of_the_old_one,
        a_key_of_a_message_has_no_answer,
    );
}

fn answer(text: &'static str) -> KeptAnswer {
    KeptAnswer {
        body_digest: [3; 16],
        status: 201,
        answer: Bytes::from_static(text.as_bytes()),
    }
}

async fn an_answer_is_given_again_for_a_day(bench: &Bench) {
    let now = bench.now();
    assert_eq!(bench.store.kept_answer([1; 16], now).await, Ok(None));
    bench
        .store
        .keep_answer([1; 16], answer("{}"), now)
        .await
        .expect("it is kept");
    assert_eq!(
        bench.store.kept_answer([1; 16], now).await,
        Ok(Some(answer("{}")))
    );
    assert_eq!(bench.store.kept_answer([2; 16], now).await, Ok(None));
    let last = now + IDEMPOTENCY_KEPT - Duration::from_micros(1);
    assert_eq!(
        bench.store.kept_answer([1; 16], last).await,
        Ok(Some(answer("{}")))
    );
    assert_eq!(
        bench
            .store
            .kept_answer([1; 16], now + IDEMPOTENCY_KEPT)
            .await,
        Ok(None)
    );
}

async fn an_answer_after_a_day_takes_the_place_of_the_old_one(bench: &Bench) {
    let now = bench.now();
    bench
        .store
        .keep_answer([1; 16], answer("1"), now)
        .await
        .expect("it is kept");
    let later = now + IDEMPOTENCY_KEPT;
    bench
        .store
        .keep_answer([1; 16], answer("2"), later)
        .await
        .expect("it is kept");
    assert_eq!(
        bench.store.kept_answer([1; 16], later).await,
        Ok(Some(answer("2")))
    );
}

async fn a_key_of_a_message_has_no_answer(bench: &Bench) {
    let app = bench.app().await;
    let idempotency = Some(IdempotencyKey {
        key: [1; 16],
        body: [3; 16],
    });
    let accept = Accept {
        idempotency,
        ..bench.to_accept(bench.message(app), &[])
    };
    bench.accept(accept).await.expect("it is accepted");
    assert_eq!(
        bench.store.kept_answer([1; 16], bench.now()).await,
        Ok(None)
    );
}
