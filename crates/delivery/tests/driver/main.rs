//! Promises of the driver.

mod machine;
mod nodes;

use std::sync::atomic::Ordering::Relaxed;

use ringbolt_delivery::Refused;
use ringbolt_store::{AttemptFilter, IdempotencyKey, Order, Page};

use machine::{Machine, Script, draft};

#[tokio::test]
async fn what_is_accepted_arrives_at_every_endpoint_once() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    for _ in 0..3 {
        machine.endpoint(app.id).await;
    }
    for _ in 0..50 {
        machine.send(&app).await;
    }
    let mut arrived = machine.arrived(150).await;
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived.len(), 150);
    machine.stop().await;
}

#[tokio::test]
async fn a_failed_try_is_made_again_on_its_schedule_and_both_are_recorded() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    machine.script.fail(endpoint, 2);
    let message = machine.send(&app).await;
    machine.arrived(1).await;
    let page = Page {
        limit: 10,
        order: Order::Ascending,
        after: None,
    };
    let filter = AttemptFilter {
        with_content: true,
        ..AttemptFilter::default()
    };
    let handle = machine.stop().await;
    let list = handle
        .store()
        .message_attempts(app.id, message, filter, page)
        .await;
    let results: Vec<bool> = list
        .expect("a list")
        .items
        .iter()
        .map(|a| a.succeeded())
        .collect();
    assert_eq!(results, [false, false, true]);
}

#[tokio::test]
async fn a_repeated_idempotency_key_gives_the_first_message() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    machine.endpoint(app.id).await;
    let key = IdempotencyKey {
        key: [1; 16],
        body: [2; 16],
    };
    let other = IdempotencyKey {
        key: [1; 16],
        body: [3; 16],
    };
    let first = machine
        .handle
        .accept(&app, draft(Some(key)))
        .await
        .expect("accepted");
    let second = machine
        .handle
        .accept(&app, draft(Some(key)))
        .await
        .expect("accepted");
    assert_eq!((first.id, first.repeated), (second.id, false));
    assert!(second.repeated);
    let third = machine.handle.accept(&app, draft(Some(other))).await;
    assert_eq!(third, Err(Refused::KeyReused));
    machine.arrived(1).await;
    assert_eq!(machine.script.tries.load(Relaxed), 1);
    machine.stop().await;
}

#[tokio::test]
async fn what_failed_before_a_restart_is_delivered_after_it() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let endpoint = machine.endpoint(app.id).await;
    // However long the machine is busy elsewhere, no try succeeds before the restart.
    machine.script.fail(endpoint, u32::MAX);
    let message = machine.send(&app).await;
    let tried = |script: &Script| script.tries.load(Relaxed) > 0;
    machine.script.until(tried).await;
    let machine = machine.again().await;
    let arrived = machine.arrived(1).await;
    assert_eq!(arrived, [(endpoint, message)]);
    machine.stop().await;
}

#[tokio::test]
async fn a_message_to_a_deleted_application_is_refused() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    machine.send(&app).await;
    let app_ref = ringbolt_store::AppRef::Id(app.id);
    let endpoints = machine
        .handle
        .store()
        .delete_application(app_ref)
        .await
        .expect("deleted");
    machine.handle.application_deleted(app.id, &endpoints);
    let refused = machine.handle.accept(&app, draft(None)).await;
    assert_eq!(refused, Err(Refused::ApplicationGone));
    machine.stop().await;
}

#[tokio::test]
async fn changes_to_endpoints_are_obeyed_without_reading_all_of_them_again() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    let first = machine.endpoint(app.id).await;
    let message = machine.send(&app).await;
    assert_eq!(machine.arrived(1).await, [(first, message)]);
    let mut owed = 1;
    for n in 1..=20 {
        // A new one, and one that wants nothing of this kind any more, or does again.
        machine.endpoint(app.id).await;
        let wanted = if n % 2 == 0 { "test.event" } else { "other" };
        machine.subscribe(app.id, first, wanted).await;
        machine.send(&app).await;
        owed += n + usize::from(n % 2 == 0);
    }
    let mut arrived = machine.arrived(owed).await;
    let handle = machine.stop().await;
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived.len(), owed);
    let of_first = arrived.iter().filter(|one| one.0 == first).count();
    assert_eq!(of_first, 11);
    let metrics = handle.metrics_text();
    assert!(metrics.contains("ringbolt_applications_read_total 1\n"));
}

#[tokio::test]
async fn senders_who_all_need_the_routes_read_them_once() {
    let machine = Machine::new().await;
    let app = machine.app().await;
    for _ in 0..3 {
        machine.endpoint(app.id).await;
    }
    let tracker = tokio_util::task::TaskTracker::new();
    let senders = (0..20).map(|_| {
        let (handle, app) = (machine.handle.clone(), app.clone());
        tracker.spawn(async move { handle.accept(&app, draft(None)).await })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("it ends").expect("accepted");
    }
    assert_eq!(machine.arrived(60).await.len(), 60);
    let metrics = machine.handle.metrics_text();
    assert!(metrics.contains("ringbolt_applications_read_total 1\n"));
    machine.stop().await;
}
