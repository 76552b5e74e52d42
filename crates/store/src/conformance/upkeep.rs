//! What keeping the store in order means.

mod retention;

use std::time::Duration;

use bytes::Bytes;
use ringbolt_model::{ApiKey, AppId, EndpointId, MessageId, Role, Timestamp};

use self::retention::{
    content_goes_when_its_time_is_over, messages_go_when_retention_is_over,
    nothing_within_retention_goes, the_last_try_of_an_old_message_is_counted,
    what_is_in_memory_outlives_retention, what_is_still_to_be_tried_outlives_retention,
};
use super::{Bench, Ground, run};
use crate::{Accept, AppRef, EndpointRef, KeptAnswer, MessageRef, Settled, StoreError, Write};

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
    let largest = async || bench.store.largest_id().await.expect("it is known");
    let app = bench.app().await;
    assert!(largest().await >= app.raw());
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted(app, &[endpoint]).await;
    assert!(largest().await >= message.raw());
    let outcome = bench.outcome(app, (message, endpoint), true, Settled::Delivered);
    let attempt = outcome.attempt.id;
    bench.write(vec![Write::Outcome(outcome)]).await;
    assert!(largest().await >= attempt.raw());
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
