//! What accepting a message means.

use std::time::Duration;

use super::key;
use crate::conformance::Bench;
use crate::{
    Accept, AcceptRefused, Accepted, AppRef, MessageRef, Receipt, Settled, StoreError, Write,
};

pub(super) async fn a_message_is_there_once_its_receipt_came(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let mut message = bench.message(app);
    message.channels = ["red".parse().expect("a channel")].into();
    message.event_id = Some("paid-1".parse().expect("a uid"));
    message.content_type = "text/plain".into();
    message.expires_at = Some(bench.now() + Duration::from_secs(60));
    let accept = bench.to_accept(message.clone(), &[endpoint]);
    assert_eq!(bench.accept(accept).await, Ok(Accepted::New));
    let stored = bench
        .store
        .message(app, MessageRef::Id(message.id), true)
        .await;
    assert_eq!(stored, Ok(message));
}

pub(super) async fn nothing_is_accepted_for_a_deleted_application(bench: &Bench) {
    let app = bench.app().await;
    bench
        .store
        .delete_application(AppRef::Id(app))
        .await
        .expect("it is deleted");
    let accept = bench.to_accept(bench.message(app), &[]);
    assert_eq!(
        bench.accept(accept).await,
        Err(AcceptRefused::ApplicationGone)
    );
}

pub(super) async fn one_bad_write_does_not_fail_its_batch(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let first = bench.accepted(app, &[endpoint]).await;
    let messages = [bench.message(app), bench.message(app)];
    let last = messages[1].id;
    let mut accepts: Vec<_> = messages
        .into_iter()
        .map(|message| bench.to_accept(message, &[endpoint]))
        .collect();
    let mut twin = bench.message(app);
    twin.id = first;
    accepts.insert(
        1,
        Accept {
            idempotency: key(1, 1),
            ..bench.to_accept(twin, &[endpoint])
        },
    );
    let answers = bench.accept_all(accepts).await;
    let bad = AcceptRefused::Store(StoreError::Conflict("id"));
    let expected = [Ok(Accepted::New), Err(bad), Ok(Accepted::New)];
    assert_eq!(answers, expected);
    let accept = Accept {
        idempotency: key(1, 2),
        ..bench.to_accept(bench.message(app), &[])
    };
    assert_eq!(bench.accept(accept).await, Ok(Accepted::New));
    for message in [first, last] {
        bench
            .settle(app, (message, endpoint), true, Settled::Delivered)
            .await;
    }
    assert_eq!(
        bench.after_crash().await.store.reopen(bench.now()).await,
        Ok(1)
    );
}

pub(super) async fn a_full_queue_gives_messages_back_and_takes_outcomes(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let routes = bench.store.routes_version(app).await.expect("it is there");
    let (taken, refused) = {
        // Whoever writes waits for the listener after the first transaction.
        let _held = bench.hold_receipts();
        let mut taken = 0_usize;
        loop {
            let accept = Accept {
                routes,
                ..bench.to_accept(bench.message(app), &[endpoint])
            };
            match bench.store.submit(Write::Accept(accept)) {
                Ok(()) => taken += 1,
                Err(back) => break (taken, back),
            }
        }
    };
    assert!(taken > 0 && matches!(*refused, Write::Accept(_)));
    let gone = (bench.ids.next(bench.now()), endpoint);
    let outcome = bench.outcome(app, gone, true, Settled::Delivered);
    assert!(bench.store.submit(Write::Outcome(outcome)).is_ok());
    let receipts = bench.receipts(taken + 1).await;
    let news = |receipt: &&Receipt| matches!(receipt, Receipt::Accept(_, Ok(Accepted::New)));
    assert_eq!(receipts.iter().filter(news).count(), taken);
}
