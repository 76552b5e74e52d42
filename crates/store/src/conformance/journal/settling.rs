//! What recording outcomes means.

use std::time::Duration;

use ringbolt_model::{DeliveryKey, DeliveryState, FinalReason, Trigger};

use crate::conformance::Bench;
use crate::{EndpointRef, Receipt, Settled, Spill, Write};

pub(super) async fn a_fresh_delivery_goes_through_its_states(bench: &Bench) {
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

pub(super) async fn a_stored_delivery_goes_through_its_states(bench: &Bench) {
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

pub(super) async fn a_probe_changes_nothing(bench: &Bench) {
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

pub(super) async fn spilled_deliveries_wait_in_the_store(bench: &Bench) {
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

pub(super) async fn outcomes_of_what_is_gone_do_no_harm(bench: &Bench) {
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
