//! What accepting messages and recording outcomes means.

use std::time::Duration;

use ringbolt_model::{DeliveryKey, DeliveryState, FinalReason, Trigger};

use super::{Bench, Ground, run};
use crate::{
    Accept, AcceptRefused, Accepted, AppRef, EndpointRef, IdempotencyKey, MessageRef, Receipt,
    Settled, Spill, StoreError, Write,
};

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        a_message_is_there_once_its_receipt_came,
        a_repeated_key_gives_the_first_message,
        a_key_with_another_body_is_refused,
        two_requests_with_one_key_in_one_batch_make_one_message,
        a_key_is_forgotten_after_a_day,
        an_event_id_is_taken_for_a_day,
        a_refused_message_leaves_its_key_unused,
        nothing_is_accepted_for_a_deleted_application,
        one_bad_write_does_not_fail_its_batch,
        a_fresh_delivery_goes_through_its_states,
        a_stored_delivery_goes_through_its_states,
        a_probe_changes_nothing,
        spilled_deliveries_wait_in_the_store,
        what_was_accepted_survives_a_crash,
        what_is_accepted_before_reopening_stays_in_memory,
        what_became_of_deliveries_survives_a_crash,
        outcomes_of_what_is_gone_do_no_harm,
        a_full_queue_gives_messages_back_and_takes_outcomes,
    );
}

async fn a_message_is_there_once_its_receipt_came(bench: &Bench) {
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

fn key(number: u8, body: u8) -> Option<IdempotencyKey> {
    Some(IdempotencyKey {
        key: [number; 16],
        body: [body; 16],
    })
}

async fn a_repeated_key_gives_the_first_message(bench: &Bench) {
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

async fn a_key_with_another_body_is_refused(bench: &Bench) {
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

async fn two_requests_with_one_key_in_one_batch_make_one_message(bench: &Bench) {
    let app = bench.app().await;
    let accepts: Vec<_> = (0..20)
        .map(|_| Accept {
            idempotency: key(1, 1),
            ..bench.to_accept(bench.message(app), &[])
        })
        .collect();
    let first = accepts[0].message.id;
    let answers = bench.accept_all(accepts).await;
    assert_eq!(answers[0], Ok(Accepted::New));
    assert!(
        answers[1..]
            .iter()
            .all(|answer| *answer == Ok(Accepted::Repeated(first)))
    );
}

async fn a_key_is_forgotten_after_a_day(bench: &Bench) {
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

async fn an_event_id_is_taken_for_a_day(bench: &Bench) {
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

async fn a_refused_message_leaves_its_key_unused(bench: &Bench) {
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

async fn nothing_is_accepted_for_a_deleted_application(bench: &Bench) {
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

async fn one_bad_write_does_not_fail_its_batch(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let messages = [bench.message(app), bench.message(app), bench.message(app)];
    let (first, last) = (messages[0].id, messages[2].id);
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
    assert_eq!(
        answers[1],
        Err(AcceptRefused::Store(StoreError::Conflict("id")))
    );
    for good in [0, 2, 3] {
        assert_eq!(answers[good], Ok(Accepted::New));
    }
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

async fn a_fresh_delivery_goes_through_its_states(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let later = bench.now() + Duration::from_secs(5);
    for (settled, state) in [
        (Settled::Delivered, DeliveryState::Delivered),
        (
            Settled::Retry {
                at: later,
                attempts: 1,
            },
            DeliveryState::Pending,
        ),
        (
            Settled::Failed(FinalReason::Exhausted),
            DeliveryState::Failed,
        ),
        (Settled::Cancelled, DeliveryState::Cancelled),
        (Settled::Waits, DeliveryState::Pending),
    ] {
        let message = bench.accepted(app, &[endpoint]).await;
        assert_eq!(
            bench.state(app, message, endpoint).await,
            Some(DeliveryState::Pending)
        );
        bench.settle(app, (message, endpoint), true, settled).await;
        assert_eq!(
            bench.state(app, message, endpoint).await,
            Some(state),
            "{settled:?}"
        );
    }
}

async fn a_stored_delivery_goes_through_its_states(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted_stored(app, &[endpoint]).await;
    assert_eq!(bench.due(endpoint).await, [message]);
    let later = bench.now() + Duration::from_secs(5);
    let retry = Settled::Retry {
        at: later,
        attempts: 1,
    };
    bench.settle(app, (message, endpoint), false, retry).await;
    assert_eq!(bench.due(endpoint).await, []);
    assert_eq!(
        bench.state(app, message, endpoint).await,
        Some(DeliveryState::Pending)
    );
    bench.pass(Duration::from_secs(5));
    let page = bench
        .store
        .due(endpoint, bench.now(), 10, usize::MAX)
        .await
        .expect("it is read");
    assert_eq!(page.deliveries.len(), 1);
    assert_eq!(
        (page.deliveries[0].attempts, page.deliveries[0].due),
        (1, later)
    );
    bench
        .settle(app, (message, endpoint), false, Settled::Delivered)
        .await;
    assert_eq!(bench.due(endpoint).await, []);
    assert_eq!(
        bench.state(app, message, endpoint).await,
        Some(DeliveryState::Delivered)
    );
}

async fn a_probe_changes_nothing(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let (fresh, stored) = (
        bench.accepted(app, &[endpoint]).await,
        bench.accepted_stored(app, &[endpoint]).await,
    );
    bench
        .settle(app, (fresh, endpoint), true, Settled::Waits)
        .await;
    bench
        .settle(app, (stored, endpoint), false, Settled::Waits)
        .await;
    assert_eq!(bench.due(endpoint).await, [stored]);
    bench
        .settle(app, (fresh, endpoint), true, Settled::Delivered)
        .await;
    assert_eq!(
        bench.after_crash().await.store.reopen(bench.now()).await,
        Ok(0)
    );
}

async fn spilled_deliveries_wait_in_the_store(bench: &Bench) {
    let app = bench.app().await;
    let endpoints = [bench.endpoint(app).await, bench.endpoint(app).await];
    let message = bench.accepted(app, &endpoints).await;
    let deliveries = endpoints
        .iter()
        .map(|endpoint| DeliveryKey {
            message,
            endpoint: *endpoint,
        })
        .collect();
    let due = bench.now() + Duration::from_secs(1);
    let spill = Spill {
        deliveries,
        due,
        trigger: Trigger::Scheduled,
    };
    let receipts = bench.write(vec![Write::Spill(spill)]).await;
    assert!(matches!(&receipts[0], Receipt::Spill(spill) if spill.deliveries.len() == 2));
    assert_eq!(bench.due(endpoints[0]).await, []);
    bench.pass(Duration::from_secs(1));
    for endpoint in endpoints {
        assert_eq!(bench.due(endpoint).await, [message]);
    }
    assert_eq!(
        bench.after_crash().await.store.reopen(bench.now()).await,
        Ok(0)
    );
}

async fn what_was_accepted_survives_a_crash(bench: &Bench) {
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

async fn what_is_accepted_before_reopening_stays_in_memory(bench: &Bench) {
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

async fn what_became_of_deliveries_survives_a_crash(bench: &Bench) {
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

async fn outcomes_of_what_is_gone_do_no_harm(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let message = bench.accepted(app, &[endpoint]).await;
    bench
        .store
        .delete_endpoint(app, EndpointRef::Id(endpoint))
        .await
        .expect("it is deleted");
    let retry = Settled::Retry {
        at: bench.now(),
        attempts: 1,
    };
    bench.settle(app, (message, endpoint), true, retry).await;
    let nowhere = (bench.ids.next(bench.now()), bench.ids.next(bench.now()));
    bench.settle(app, nowhere, true, retry).await;
    bench.settle(app, nowhere, false, Settled::Delivered).await;
    assert_eq!(bench.store.lanes_with_work().await, Ok(Vec::new()));
    let other = bench.endpoint(app).await;
    let message = bench.accepted(app, &[other]).await;
    assert_eq!(
        bench.state(app, message, other).await,
        Some(DeliveryState::Pending)
    );
}

async fn a_full_queue_gives_messages_back_and_takes_outcomes(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let (held, hold) = std::sync::mpsc::channel::<()>();
    let (started, has_started) = tokio::sync::oneshot::channel();
    let mut started = Some(started);
    let hold = parking_lot::Mutex::new(hold);
    let blocking = bench.store.edit_application(
        AppRef::Id(app),
        Box::new(move |_| {
            if let Some(started) = started.take() {
                started.send(()).expect("the case waits for this");
            }
            // Ends when the case lets go of the other end.
            let _let_go = hold.lock().recv();
        }),
    );
    let filling = async {
        has_started.await.expect("the edit runs");
        let mut taken = 0_usize;
        let refused = loop {
            let accept = bench.to_accept(bench.message(app), &[endpoint]);
            match bench.store.submit(Write::Accept(accept)) {
                Ok(()) => taken += 1,
                Err(back) => break back,
            }
        };
        assert!(matches!(*refused, Write::Accept(_)));
        let outcome = bench.outcome(
            app,
            (bench.ids.next(bench.now()), endpoint),
            true,
            Settled::Delivered,
        );
        let outcome = bench.store.submit(Write::Outcome(outcome));
        drop(held);
        (taken, outcome.is_ok())
    };
    let (edited, (taken, outcome)) = tokio::join!(blocking, filling);
    assert!(edited.is_ok() && taken > 0 && outcome);
    let receipts = bench.receipts(taken + 1).await;
    let news = |receipt: &&Receipt| matches!(receipt, Receipt::Accept(_, Ok(Accepted::New)));
    assert_eq!(receipts.iter().filter(news).count(), taken);
}
