//! What was expunged, and what belongs to others, is not found.

use ringbolt_model::{AttemptId, MessageId};

use super::super::Bench;
use crate::{AttemptFilter, MessageRef, Order, Page, Settled, StoreError, Write};

pub(super) async fn expunged_content_is_gone_and_the_rest_stays(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let id = bench.accepted(app, &[endpoint]).await;
    bench
        .store
        .expunge_message(app, id)
        .await
        .expect("it is expunged");
    bench
        .store
        .expunge_message(app, id)
        .await
        .expect("once more does no harm");
    let message = bench
        .store
        .message(app, MessageRef::Id(id), true)
        .await
        .expect("it is there");
    assert_eq!(message.payload, None);
    assert_eq!(message.event_type.as_str(), "invoice.paid");
    let unknown = MessageId::from(id.raw() + 1);
    assert_eq!(
        bench.store.expunge_message(app, unknown).await,
        Err(StoreError::NotFound)
    );
}

pub(super) async fn expunged_answers_are_gone_and_the_rest_stays(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted(app, &[endpoint]).await;
    let outcome = bench.outcome(app, (message, endpoint), true, Settled::Delivered);
    let mut expected = outcome.attempt.clone();
    bench.write(vec![Write::Outcome(outcome)]).await;
    bench
        .store
        .expunge_attempt(app, message, expected.id)
        .await
        .expect("it is expunged");
    expected.headers = bytes::Bytes::new();
    expected.body = bytes::Bytes::from_static(b"EXPUNGED");
    let attempt = expected.id;
    assert_eq!(
        bench.store.attempt(app, message, attempt).await,
        Ok(expected)
    );
    let unknown = AttemptId::from(attempt.raw() + 1);
    let missing = bench.store.expunge_attempt(app, message, unknown).await;
    assert_eq!(missing, Err(StoreError::NotFound));
}

pub(super) async fn nothing_is_found_through_another_application(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted(app, &[endpoint]).await;
    let outcome = bench.outcome(app, (message, endpoint), true, Settled::Delivered);
    let attempt = outcome.attempt.id;
    bench.write(vec![Write::Outcome(outcome)]).await;
    let store = &bench.store;
    let not_found = Err(StoreError::NotFound);
    let by_id = MessageRef::Id(message);
    assert_eq!(
        store.message(other, by_id, false).await.map(|_| ()),
        not_found
    );
    assert_eq!(
        store.attempt(other, message, attempt).await.map(|_| ()),
        not_found
    );
    assert_eq!(store.expunge_message(other, message).await, not_found);
    assert_eq!(
        store.expunge_attempt(other, message, attempt).await,
        not_found
    );
    let page = Page {
        limit: 9,
        order: Order::Ascending,
        after: None,
    };
    let deliveries = store.message_deliveries(other, message, page).await;
    assert_eq!(deliveries.map(|_| ()), not_found);
    let page = Page {
        limit: 9,
        order: Order::Ascending,
        after: None,
    };
    let attempts = store
        .message_attempts(other, message, AttemptFilter::default(), page)
        .await;
    assert_eq!(attempts.map(|_| ()), not_found);
    let another = bench.accepted(app, &[endpoint]).await;
    assert_eq!(
        store.attempt(app, another, attempt).await.map(|_| ()),
        not_found
    );
}
