//! What keeping the store in order means.

use std::time::Duration;

use bytes::Bytes;
use ringbolt_model::{
    ApiKey, AppId, DeliveryState, DisableReason, EndpointId, FinalReason, MessageId, Role,
    Timestamp,
};

use super::{Bench, Ground, run};
use crate::{
    Accept, AppRef, EndpointRef, KeptAnswer, MessageFilter, MessageRef, Order, Page, Settled,
    StoreError, Write,
};

/// The retention that a store of this suite has.
const RETENTION: Duration = Duration::from_secs(30 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        content_goes_when_its_time_is_over,
        messages_go_when_retention_is_over,
        what_is_still_to_be_tried_outlives_retention,
        the_last_try_of_an_old_message_is_counted,
        nothing_within_retention_goes,
        what_is_in_memory_outlives_retention,
        a_deleted_endpoint_is_owed_nothing,
        a_deleted_application_goes_with_all_that_it_owns,
        old_answers_and_keys_go,
        the_largest_id_is_known,
        a_healthy_store_says_so,
        nothing_is_left_to_encrypt,
    );
}

/// Tidies until nothing is left to do at once; returns how many deliveries expired.
async fn tidy(bench: &Bench, now: Timestamp) -> usize {
    let mut expired = 0;
    loop {
        let tidied = bench.store.tidy(now).await.expect("it is tidied");
        expired += tidied.expired;
        if !tidied.more {
            return expired;
        }
    }
}

/// Accepts messages whose deliveries are stored, as many as a queue takes at once.
async fn stored(bench: &Bench, app: AppId, endpoint: EndpointId) -> Vec<MessageId> {
    let accepts: Vec<_> = (0..100)
        .map(|_| Accept {
            stored: [endpoint].as_slice().into(),
            ..bench.to_accept(bench.message(app), &[])
        })
        .collect();
    let ids = accepts.iter().map(|accept| accept.message.id).collect();
    assert!(bench.accept_all(accepts).await.iter().all(Result::is_ok));
    ids
}

async fn exists(bench: &Bench, app: AppId, message: MessageId) -> bool {
    match bench
        .store
        .message(app, MessageRef::Id(message), false)
        .await
    {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, StoreError::NotFound);
            false
        }
    }
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

async fn content_goes_when_its_time_is_over(bench: &Bench) {
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
    let (since, until) = (super::START, bench.now());
    let counts = bench
        .store
        .endpoint_counts(endpoint, since, until)
        .await
        .expect("counted");
    assert_eq!((counts.fail, counts.pending), (1, 0));
}

async fn messages_go_when_retention_is_over(bench: &Bench) {
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

async fn what_is_still_to_be_tried_outlives_retention(bench: &Bench) {
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
        let (since, until) = (super::START, bench.now());
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

async fn the_last_try_of_an_old_message_is_counted(bench: &Bench) {
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
    let counts = bench
        .store
        .endpoint_counts(endpoint, super::START, bench.now());
    assert_eq!(counts.await.expect("counted").success, 1);
}

async fn nothing_within_retention_goes(bench: &Bench) {
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

async fn what_is_in_memory_outlives_retention(bench: &Bench) {
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

async fn a_deleted_endpoint_is_owed_nothing(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    stored(bench, app, endpoint).await;
    stored(bench, app, endpoint).await;
    bench.accepted_stored(app, &[other]).await;
    bench
        .store
        .delete_endpoint(app, EndpointRef::Id(endpoint))
        .await
        .expect("it is deleted");
    bench.pass(Duration::from_secs(60));
    assert_eq!(
        tidy(bench, bench.now()).await,
        0,
        "cancelled is not expired"
    );
    assert_eq!(bench.store.pending().await, Ok(1));
    assert_eq!(bench.due(other).await.len(), 1);
}

async fn a_deleted_application_goes_with_all_that_it_owns(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let (endpoint, kept) = (bench.endpoint(app).await, bench.endpoint(other).await);
    let mut messages = stored(bench, app, endpoint).await;
    messages.extend(stored(bench, app, endpoint).await);
    let in_memory = bench.accepted(app, &[endpoint]).await;
    let theirs = bench.accepted_stored(other, &[kept]).await;
    let key = ApiKey {
        id: bench.ids.next(bench.now()),
        name: "portal".into(),
        hash: [1; 32],
        role: Role::Portal,
        app: Some(app),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        portal: None,
    };
    bench.store.create_key(key).await.expect("it is stored");
    bench
        .store
        .delete_application(AppRef::Id(app))
        .await
        .expect("it is deleted");
    bench.pass(Duration::from_secs(60));
    tidy(bench, bench.now()).await;
    messages.push(in_memory);
    for message in messages {
        assert!(!exists(bench, app, message).await);
    }
    assert_eq!(bench.store.pending().await, Ok(1));
    assert!(exists(bench, other, theirs).await);
    let gone = bench.store.key_by_hash([1; 32]).await;
    assert_eq!(gone.map(|_| ()), Err(StoreError::NotFound));
    bench
        .settle(app, (in_memory, endpoint), true, Settled::Delivered)
        .await;
}

async fn old_answers_and_keys_go(bench: &Bench) {
    let now = bench.now();
    let answer = KeptAnswer {
        body_digest: [2; 16],
        status: 201,
        answer: Bytes::from_static(b"{}"),
    };
    bench
        .store
        .keep_answer([1; 16], answer.clone(), now)
        .await
        .expect("it is kept");
    let later = now + DAY;
    bench
        .store
        .keep_answer([9; 16], answer, later)
        .await
        .expect("it is kept");
    for (hash, revoked_at) in [(1, Some(now)), (2, None)] {
        let key = ApiKey {
            id: bench.ids.next(now),
            name: "ci".into(),
            hash: [hash; 32],
            role: Role::Admin,
            app: None,
            expires_at: None,
            last_used_at: None,
            revoked_at,
            portal: None,
        };
        bench.store.create_key(key).await.expect("it is stored");
    }
    tidy(bench, later + Duration::from_secs(1)).await;
    assert_eq!(
        bench.store.kept_answer([1; 16], now).await,
        Ok(None),
        "it is gone for good"
    );
    assert!(
        bench
            .store
            .kept_answer([9; 16], later)
            .await
            .is_ok_and(|kept| kept.is_some())
    );
    assert!(
        bench.store.key_by_hash([1; 32]).await.is_ok(),
        "revoked keys are listed for a while"
    );
    tidy(bench, later + RETENTION).await;
    let gone = bench.store.key_by_hash([1; 32]).await;
    assert_eq!(gone.map(|_| ()), Err(StoreError::NotFound));
    assert!(bench.store.key_by_hash([2; 32]).await.is_ok());
}

async fn the_largest_id_is_known(bench: &Bench) {
    assert_eq!(bench.store.largest_id().await, Ok(0));
    let app = bench.app().await;
    assert_eq!(bench.store.largest_id().await, Ok(app.raw()));
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted(app, &[endpoint]).await;
    assert_eq!(bench.store.largest_id().await, Ok(message.raw()));
    let outcome = bench.outcome(app, (message, endpoint), true, Settled::Delivered);
    let attempt = outcome.attempt.id;
    bench.write(vec![Write::Outcome(outcome)]).await;
    assert_eq!(bench.store.largest_id().await, Ok(attempt.raw()));
}

async fn a_healthy_store_says_so(bench: &Bench) {
    let app = bench.app().await;
    bench.accepted(app, &[]).await;
    let health = bench.store.health();
    assert!(health.writable && health.reason.is_none() && health.problem.is_none());
    let sizes = bench.store.sizes();
    let (writes, times) = (&sizes.commit_writes, &sizes.commit_micros);
    assert!(sizes.on_disk > 0 && writes.count() > 0 && writes.sum >= writes.count());
    assert_eq!(writes.count(), times.count());
}

async fn nothing_is_left_to_encrypt(bench: &Bench) {
    let app = bench.app().await;
    bench.endpoint(app).await;
    assert_eq!(bench.store.reencrypt().await, Ok(0));
}
