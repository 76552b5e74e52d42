//! What waiting, resending and recovering deliveries means.

use std::time::Duration;

use ringbolt_model::{DeliveryState, DisableReason, FinalReason, Trigger};

use super::{Bench, Ground, run};
use crate::{Accept, EndpointRef, LaneWork, Recovered, ResendRefused, Settled, StoreError};

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        due_deliveries_come_in_order_and_in_pages,
        a_page_holds_no_more_payload_than_asked_for,
        content_that_is_gone_comes_without_payload,
        lanes_with_work_leave_out_who_takes_nothing,
        a_resend_makes_any_delivery_due_now,
        a_resend_of_what_is_in_memory_does_nothing,
        a_resend_reaches_an_endpoint_that_did_not_want_the_message,
        a_resend_needs_message_endpoint_and_content,
        a_manual_try_is_manual_once,
        recovery_takes_failed_deliveries_of_its_window_only,
        recovery_goes_in_steps,
    );
}

const SECOND: Duration = Duration::from_secs(1);
const FAILED: Settled = Settled::Failed(FinalReason::Exhausted);

async fn due_deliveries_come_in_order_and_in_pages(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let mut messages = Vec::new();
    for _ in 0..5 {
        messages.push(bench.accepted_stored(app, &[endpoint, other]).await);
    }
    let early = bench.message(app);
    let first = early.id;
    let due = bench.now() - SECOND;
    let accept = Accept {
        stored: [endpoint][..].into(),
        due,
        ..bench.to_accept(early, &[])
    };
    bench.accept(accept).await.expect("it is accepted");
    let page = bench
        .store
        .due(endpoint, bench.now(), 3, usize::MAX)
        .await
        .expect("it is read");
    let found: Vec<_> = page
        .deliveries
        .iter()
        .map(|delivery| delivery.message.id)
        .collect();
    assert_eq!(found, [first, messages[0], messages[1]]);
    assert_eq!((page.more, page.next_due), (true, Some(bench.now())));
    let page = bench
        .store
        .due(endpoint, due, 3, usize::MAX)
        .await
        .expect("it is read");
    assert_eq!((page.deliveries.len(), page.more), (1, false));
    assert_eq!(page.next_due, Some(bench.now()));
    assert_eq!(bench.store.pending().await, Ok(11));
    let page = bench
        .store
        .due(other, bench.now(), 5, usize::MAX)
        .await
        .expect("it is read");
    assert_eq!(
        (page.deliveries.len(), page.more, page.next_due),
        (5, false, None)
    );
}

async fn a_page_holds_no_more_payload_than_asked_for(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    for _ in 0..3 {
        let mut message = bench.message(app);
        message.payload = Some(vec![b'1'; 1000].into());
        let accept = Accept {
            stored: [endpoint][..].into(),
            ..bench.to_accept(message, &[])
        };
        bench.accept(accept).await.expect("it is accepted");
    }
    for (bytes, fit) in [(0, 1), (999, 1), (1999, 1), (2000, 2), (3000, 3)] {
        let page = bench
            .store
            .due(endpoint, bench.now(), 10, bytes)
            .await
            .expect("it is read");
        assert_eq!(page.deliveries.len(), fit, "in {bytes} bytes");
        assert_eq!(page.more, fit < 3);
        assert!(
            page.deliveries
                .iter()
                .all(|delivery| delivery.message.payload.is_some())
        );
    }
}

async fn content_that_is_gone_comes_without_payload(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted_stored(app, &[endpoint]).await;
    bench
        .store
        .expunge_message(app, message)
        .await
        .expect("its content is removed");
    let page = bench
        .store
        .due(endpoint, bench.now(), 10, usize::MAX)
        .await
        .expect("it is read");
    assert_eq!(page.deliveries.len(), 1);
    assert_eq!(page.deliveries[0].message.payload, None);
}

async fn lanes_with_work_leave_out_who_takes_nothing(bench: &Bench) {
    let app = bench.app().await;
    let mut endpoints = Vec::new();
    for _ in 0..5 {
        endpoints.push(bench.endpoint(app).await);
    }
    let idle = endpoints[4];
    bench.accepted_stored(app, &endpoints[..4]).await;
    let done = bench.accepted_stored(app, &[idle]).await;
    bench
        .settle(app, (done, idle), false, Settled::Delivered)
        .await;
    let reason = DisableReason::Manual;
    let disabled = bench
        .store
        .disable_endpoint(endpoints[1], reason, bench.now())
        .await;
    assert_eq!(disabled, Ok(true));
    bench
        .store
        .delete_endpoint(app, EndpointRef::Id(endpoints[2]))
        .await
        .expect("it is deleted");
    let due = bench.now();
    let expected = [endpoints[0], endpoints[3]].map(|endpoint| LaneWork { endpoint, due });
    assert_eq!(bench.store.lanes_with_work().await, Ok(expected.to_vec()));
}

async fn a_resend_makes_any_delivery_due_now(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let later = bench.now() + SECOND * 3600;
    for settled in [
        Settled::Delivered,
        Settled::Retry {
            at: later,
            attempts: 3,
        },
        FAILED,
        Settled::Cancelled,
    ] {
        for fresh in [true, false] {
            let message = if fresh {
                bench.accepted(app, &[endpoint]).await
            } else {
                bench.accepted_stored(app, &[endpoint]).await
            };
            bench.settle(app, (message, endpoint), fresh, settled).await;
            let now = bench.now();
            assert_eq!(
                bench.store.resend(app, message, endpoint, now).await,
                Ok(now)
            );
            let page = bench
                .store
                .due(endpoint, now, 10, usize::MAX)
                .await
                .expect("it is read");
            assert_eq!(page.deliveries.len(), 1, "{settled:?}, {fresh}");
            let delivery = &page.deliveries[0];
            assert_eq!(delivery.message.id, message);
            assert_eq!((delivery.trigger, delivery.attempts), (Trigger::Manual, 0));
            let state = bench.state(app, message, endpoint).await;
            assert_eq!(state, Some(DeliveryState::Pending));
            bench
                .settle(app, (message, endpoint), false, Settled::Delivered)
                .await;
            let state = bench.state(app, message, endpoint).await;
            assert_eq!(state, Some(DeliveryState::Delivered));
        }
    }
}

async fn a_resend_of_what_is_in_memory_does_nothing(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted(app, &[endpoint]).await;
    let now = bench.now();
    assert_eq!(
        bench.store.resend(app, message, endpoint, now).await,
        Ok(now)
    );
    assert_eq!(bench.due(endpoint).await, []);
    bench
        .settle(app, (message, endpoint), true, Settled::Delivered)
        .await;
    assert_eq!(bench.store.pending().await, Ok(0));
}

async fn a_resend_reaches_an_endpoint_that_did_not_want_the_message(bench: &Bench) {
    let app = bench.app().await;
    let (wanted, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let message = bench.accepted(app, &[wanted]).await;
    bench
        .store
        .resend(app, message, other, bench.now())
        .await
        .expect("it is sent again");
    let pending = [
        (wanted, DeliveryState::Pending),
        (other, DeliveryState::Pending),
    ];
    assert_eq!(bench.states(app, message).await, pending);
    assert_eq!(bench.due(other).await, [message]);
    bench
        .settle(app, (message, wanted), true, Settled::Delivered)
        .await;
    assert_eq!(
        bench.after_crash().await.store.reopen(bench.now()).await,
        Ok(0)
    );
}

async fn a_resend_needs_message_endpoint_and_content(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let (endpoint, foreign) = (bench.endpoint(app).await, bench.endpoint(other).await);
    let message = bench.accepted_stored(app, &[endpoint]).await;
    let (store, now) = (&bench.store, bench.now());
    let missing = Err(ResendRefused::Store(StoreError::NotFound));
    assert_eq!(
        store.resend(app, bench.ids.next(now), endpoint, now).await,
        missing
    );
    assert_eq!(store.resend(other, message, foreign, now).await, missing);
    assert_eq!(store.resend(app, message, foreign, now).await, missing);
    store
        .expunge_message(app, message)
        .await
        .expect("its content is removed");
    let refused = store.resend(app, message, endpoint, now).await;
    assert_eq!(refused, Err(ResendRefused::MissingPayload));
    store
        .delete_endpoint(app, EndpointRef::Id(endpoint))
        .await
        .expect("it is deleted");
    assert_eq!(store.resend(app, message, endpoint, now).await, missing);
}

async fn a_manual_try_is_manual_once(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted_stored(app, &[endpoint]).await;
    bench.settle(app, (message, endpoint), false, FAILED).await;
    bench
        .store
        .resend(app, message, endpoint, bench.now())
        .await
        .expect("it is sent again");
    let retry = Settled::Retry {
        at: bench.now(),
        attempts: 1,
    };
    bench.settle(app, (message, endpoint), false, retry).await;
    let page = bench
        .store
        .due(endpoint, bench.now(), 10, usize::MAX)
        .await
        .expect("it is read");
    let delivery = &page.deliveries[0];
    assert_eq!(
        (delivery.trigger, delivery.attempts),
        (Trigger::Scheduled, 1)
    );
}

async fn recovery_takes_failed_deliveries_of_its_window_only(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let mut messages = Vec::new();
    for settled in [
        FAILED,
        FAILED,
        Settled::Delivered,
        FAILED,
        Settled::Waits,
        FAILED,
    ] {
        let message = bench.accepted_stored(app, &[endpoint]).await;
        bench.settle(app, (message, endpoint), false, settled).await;
        messages.push(message);
        bench.pass(SECOND);
    }
    let pending = messages[4];
    bench
        .store
        .expunge_message(app, messages[3])
        .await
        .expect("its content is removed");
    let (since, until) = (messages[1].time(), messages[5].time());
    let now = bench.now();
    let recovered = bench
        .store
        .recover(endpoint, since, until, None, 100, now)
        .await;
    assert_eq!(
        recovered,
        Ok(Recovered {
            deliveries: 1,
            reached: None
        })
    );
    assert_eq!(bench.due(endpoint).await, [pending, messages[1]]);
    let page = bench
        .store
        .due(endpoint, now, 10, usize::MAX)
        .await
        .expect("it is read");
    let triggers = page.deliveries.iter().map(|delivery| delivery.trigger);
    assert!(
        triggers.eq([Trigger::Scheduled, Trigger::Manual]),
        "somebody asked for it"
    );
}

async fn recovery_goes_in_steps(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let mut messages = Vec::new();
    for _ in 0..5 {
        let message = bench.accepted_stored(app, &[endpoint]).await;
        bench.settle(app, (message, endpoint), false, FAILED).await;
        messages.push(message);
    }
    bench.pass(SECOND);
    let (since, now) = (messages[0].time(), bench.now());
    let (mut reached, mut recovered) = (None, 0);
    loop {
        let step = bench
            .store
            .recover(endpoint, since, now, reached, 2, now)
            .await;
        let step = step.expect("a step is done");
        assert!(step.deliveries <= 2);
        recovered += step.deliveries;
        reached = step.reached;
        if reached.is_none() {
            break;
        }
    }
    assert_eq!(recovered, 5);
    assert_eq!(bench.due(endpoint).await, messages);
}
