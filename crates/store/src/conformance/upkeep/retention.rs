//! What retention lets go of, and what outlives it.

use std::time::Duration;

use ringbolt_model::{DeliveryState, DisableReason, EndpointId, FinalReason};

use super::{DAY, RETENTION, exists, tidy};
use crate::conformance::{Bench, START};
use crate::{Accept, MessageFilter, MessageRef, Order, Page, Settled, StoreError, Write};

pub(super) async fn content_goes_when_its_time_is_over(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let mut message = bench.message(app);
    message.expires_at = Some(bench.now() + DAY);
    let id = message.id;
    let accept = Accept {
        stored: [endpoint, other].as_slice().into(),
        ..bench.to_accept(message, &[])
    };
    bench.accept(accept).await.expect("it is accepted");
    bench
        .settle(app, (id, other), false, Settled::Delivered)
        .await;

    assert_eq!(
        tidy(bench, bench.now() + DAY - Duration::from_secs(1)).await,
        0
    );
    let read = async || bench.store.message(app, MessageRef::Id(id), true).await;
    assert!(read().await.expect("it is there").payload.is_some());

    bench.pass(DAY);
    assert_eq!(
        tidy(bench, bench.now()).await,
        1,
        "the unfinished delivery has ended"
    );
    assert!(read().await.expect("it is there").payload.is_none());
    assert_eq!(
        bench.state(app, id, endpoint).await,
        Some(DeliveryState::Failed)
    );
    assert_eq!(
        bench.state(app, id, other).await,
        Some(DeliveryState::Delivered)
    );
    let (since, until) = (START, bench.now());
    let counts = bench
        .store
        .endpoint_counts(endpoint, since, until)
        .await
        .expect("counted");
    assert_eq!((counts.fail, counts.pending), (1, 0));
}

pub(super) async fn messages_go_when_retention_is_over(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let parked = bench.accepted_stored(app, &[endpoint]).await;
    let delivered = bench.accepted(app, &[endpoint]).await;
    let outcome = bench.outcome(app, (delivered, endpoint), true, Settled::Delivered);
    let attempt = outcome.attempt.id;
    bench.write(vec![Write::Outcome(outcome)]).await;
    let mut targets = Vec::new();
    for _ in 0..15 {
        targets.push(bench.endpoint(app).await);
    }
    let wide = bench.accepted_stored(app, &targets).await;
    let tries = (0..150).map(|n| {
        let delivery = (wide, targets[n % targets.len()]);
        Write::Outcome(bench.outcome(app, delivery, false, Settled::Waits))
    });
    bench.write(tries.collect()).await;
    bench.pass(RETENTION + DAY);
    let young = bench.accepted(app, &[endpoint]).await;
    bench
        .settle(app, (young, endpoint), true, Settled::Delivered)
        .await;
    assert_eq!(tidy(bench, bench.now()).await, 0, "tries are left");
    assert!(exists(bench, app, parked).await && exists(bench, app, wide).await);
    for parks in targets.iter().chain([&endpoint]) {
        let disabled = bench
            .store
            .disable_endpoint(*parks, DisableReason::Failing, bench.now());
        assert_eq!(disabled.await, Ok(true));
    }
    bench.pass(Duration::from_secs(60));
    let parked_deliveries = 1 + targets.len();
    assert_eq!(
        tidy(bench, bench.now()).await,
        parked_deliveries,
        "parked deliveries have ended"
    );
    for message in [parked, delivered, wide] {
        assert!(!exists(bench, app, message).await);
    }
    assert!(exists(bench, app, young).await);
    let gone = bench.store.attempt(app, delivered, attempt).await;
    assert_eq!(gone.map(|_| ()), Err(StoreError::NotFound));
    assert_eq!(owed(bench, endpoint).await, 1);
    assert_eq!(bench.store.pending().await, Ok(0));
}

pub(super) async fn what_is_still_to_be_tried_outlives_retention(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, parks) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let kept = bench.accepted_stored(app, &[parks, endpoint]).await;
    let over = bench.accepted_stored(app, &[parks]).await;
    let disabled = bench
        .store
        .disable_endpoint(parks, DisableReason::Manual, bench.now());
    assert_eq!(disabled.await, Ok(true));
    // Not much: counters go by the hour, and those of this one are still there.
    bench.pass(RETENTION + Duration::from_secs(60));
    assert_eq!(tidy(bench, bench.now()).await, 1, "one was parked alone");
    assert!(!exists(bench, app, over).await);
    let read = bench.store.message(app, MessageRef::Id(kept), true).await;
    assert!(read.is_ok_and(|message| message.payload.is_some()));
    assert_eq!(bench.due(endpoint).await, [kept]);
    let counted = async || {
        let (since, until) = (START, bench.now());
        let counts = bench.store.endpoint_counts(parks, since, until).await;
        counts.expect("counted").fail
    };
    assert_eq!(counted().await, 1);
    bench
        .settle(app, (kept, endpoint), false, Settled::Delivered)
        .await;
    bench.pass(Duration::from_secs(60));
    assert_eq!(
        tidy(bench, bench.now()).await,
        1,
        "the parked one has ended"
    );
    assert!(!exists(bench, app, kept).await);
    assert_eq!(counted().await, 2);
}

pub(super) async fn the_last_try_of_an_old_message_is_counted(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted_stored(app, &[endpoint]).await;
    bench.pass(RETENTION + Duration::from_secs(60));
    bench
        .settle(app, (message, endpoint), false, Settled::Delivered)
        .await;
    tidy(bench, bench.now()).await;
    bench.pass(Duration::from_secs(60));
    tidy(bench, bench.now()).await;
    assert!(!exists(bench, app, message).await);
    let counts = bench.store.endpoint_counts(endpoint, START, bench.now());
    assert_eq!(counts.await.expect("counted").success, 1);
}

pub(super) async fn nothing_within_retention_goes(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let pending = bench.accepted_stored(app, &[endpoint]).await;
    let failed = bench.accepted(app, &[endpoint]).await;
    bench
        .settle(
            app,
            (failed, endpoint),
            true,
            Settled::Failed(FinalReason::Exhausted),
        )
        .await;
    bench.pass(RETENTION - DAY);
    assert_eq!(tidy(bench, bench.now()).await, 0);
    assert_eq!(
        bench.state(app, pending, endpoint).await,
        Some(DeliveryState::Pending)
    );
    assert_eq!(
        bench.state(app, failed, endpoint).await,
        Some(DeliveryState::Failed)
    );
    assert_eq!(bench.due(endpoint).await, [pending]);
}

pub(super) async fn what_is_in_memory_outlives_retention(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted(app, &[endpoint]).await;
    bench.pass(RETENTION + DAY);
    tidy(bench, bench.now()).await;
    assert!(exists(bench, app, message).await);
    bench
        .settle(app, (message, endpoint), true, Settled::Delivered)
        .await;
    bench.pass(Duration::from_secs(60));
    tidy(bench, bench.now()).await;
    assert!(!exists(bench, app, message).await);
}

async fn owed(bench: &Bench, endpoint: EndpointId) -> usize {
    let page = Page {
        limit: 9_999,
        order: Order::Ascending,
        after: None,
    };
    let listing = bench
        .store
        .endpoint_messages(endpoint, MessageFilter::default(), page)
        .await;
    listing.expect("a page is read").items.len()
}
