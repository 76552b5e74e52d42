//! What is found after a crash.

use std::time::Duration;

use ringbolt_model::FinalReason;

use crate::Settled;
use crate::conformance::Bench;

pub(super) async fn what_was_accepted_survives_a_crash(bench: &Bench) {
    let app = bench.app().await;
    let endpoints = [bench.endpoint(app).await, bench.endpoint(app).await];
    let first = bench.accepted(app, &endpoints).await;
    let second = bench.accepted(app, &endpoints[..1]).await;
    let stored = bench.accepted_stored(app, &endpoints[1..]).await;
    let after = bench.after_crash().await;
    assert_eq!(after.store.reopen(bench.now()).await, Ok(3));
    assert_eq!(after.due(endpoints[0]).await, [first, second]);
    assert_eq!(after.due(endpoints[1]).await, [first, stored]);
    let again = after.after_crash().await;
    assert_eq!(again.store.reopen(bench.now()).await, Ok(0));
    assert_eq!(again.due(endpoints[0]).await, [first, second]);
}

pub(super) async fn what_is_accepted_before_reopening_stays_in_memory(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let first = bench.accepted(app, &[endpoint]).await;
    let after = bench.after_crash().await;
    let second = after.accepted(app, &[endpoint]).await;
    assert_eq!(after.store.reopen(bench.now()).await, Ok(1));
    assert_eq!(after.due(endpoint).await, [first]);
    after
        .settle(app, (second, endpoint), true, Settled::Delivered)
        .await;
    assert_eq!(after.store.reopen(bench.now()).await, Ok(0));
    assert_eq!(after.due(endpoint).await, [first]);
}

pub(super) async fn what_became_of_deliveries_survives_a_crash(bench: &Bench) {
    let app = bench.app().await;
    let later = bench.now() + Duration::from_secs(5);
    let settles = [
        Settled::Delivered,
        Settled::Retry {
            at: later,
            attempts: 1,
        },
        Settled::Failed(FinalReason::Exhausted),
        Settled::Waits,
    ];
    let mut endpoints = Vec::new();
    for _ in 0..=settles.len() {
        endpoints.push(bench.endpoint(app).await);
    }
    let message = bench.accepted(app, &endpoints).await;
    for (endpoint, settled) in endpoints.iter().zip(settles) {
        bench.settle(app, (message, *endpoint), true, settled).await;
    }
    let before = bench.states(app, message).await;
    let after = bench.after_crash().await;
    assert_eq!(after.store.reopen(bench.now()).await, Ok(2));
    assert_eq!(after.states(app, message).await, before);
    assert_eq!(after.due(endpoints[0]).await, []);
    assert_eq!(after.due(endpoints[1]).await, []);
    assert_eq!(after.due(endpoints[3]).await, [message]);
    assert_eq!(after.due(endpoints[4]).await, [message]);
}
