//! Where deliveries stand, and how many stand where.

use std::time::Duration;

use ringbolt_model::endpoint::Disabled;
use ringbolt_model::{
    AppId, DeliveryState, DisableReason, EndpointId, FinalReason, MessageId, Timestamp,
};

use super::super::{Bench, START};
use super::{owed, settle_down};
use crate::{Counts, EndpointRef, MessageFilter, Order, Page, Settled, StatusFilter, StoreError};

pub(super) async fn a_delivery_stands_the_same_in_every_list(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let fresh = bench.accepted(app, &[endpoint]).await;
    let stored = bench.accepted_stored(app, &[endpoint]).await;
    let delivered = bench.accepted(app, &[endpoint]).await;
    bench
        .settle(app, (delivered, endpoint), true, Settled::Delivered)
        .await;
    let failed = bench.accepted(app, &[endpoint]).await;
    let end = Settled::Failed(FinalReason::Exhausted);
    bench.settle(app, (failed, endpoint), true, end).await;
    let retried = bench.accepted(app, &[endpoint]).await;
    let due = bench.now() + Duration::from_secs(300);
    let retry = Settled::Retry {
        at: due,
        attempts: 1,
    };
    bench.settle(app, (retried, endpoint), true, retry).await;

    let expected = [
        (fresh, DeliveryState::Pending, Some(fresh.time())),
        (stored, DeliveryState::Pending, Some(bench.now())),
        (delivered, DeliveryState::Delivered, None),
        (failed, DeliveryState::Failed, None),
        (retried, DeliveryState::Pending, Some(due)),
    ];
    check_views(bench, app, endpoint, &expected, false).await;
    settle_down(bench).await;
    check_views(bench, app, endpoint, &expected, false).await;

    let of = |status| MessageFilter {
        status: Some(status),
        ..MessageFilter::default()
    };
    assert_eq!(
        owed(bench, endpoint, &of(StatusFilter::Success)).await,
        [delivered]
    );
    assert_eq!(
        owed(bench, endpoint, &of(StatusFilter::Fail)).await,
        [failed]
    );
    assert_eq!(
        owed(bench, endpoint, &of(StatusFilter::Pending)).await,
        [fresh, stored, retried]
    );
    assert!(
        owed(bench, endpoint, &of(StatusFilter::Cancelled))
            .await
            .is_empty()
    );

    let disabled = Disabled {
        since: bench.now(),
        reason: DisableReason::Manual,
    };
    let disable = bench
        .store
        .disable_endpoint(endpoint, disabled.reason, disabled.since)
        .await;
    assert_eq!(disable, Ok(true));
    let parked = expected.map(|(message, state, _)| (message, state, None));
    check_views(bench, app, endpoint, &parked, true).await;
}

type Stand = (MessageId, DeliveryState, Option<Timestamp>);

async fn check_views(
    bench: &Bench,
    app: AppId,
    endpoint: EndpointId,
    expected: &[Stand],
    parked: bool,
) {
    let page = Page {
        limit: 50,
        order: Order::Ascending,
        after: None,
    };
    let filter = MessageFilter::default();
    let listing = bench.store.endpoint_messages(endpoint, filter, page).await;
    let listing = listing.expect("a page is read");
    assert_eq!(listing.items.len(), expected.len());
    for ((message, view), (id, state, next)) in listing.items.into_iter().zip(expected) {
        assert_eq!(
            (message.id, view.state, view.next_attempt),
            (*id, *state, *next)
        );
        assert_eq!(view.parked, parked && *state == DeliveryState::Pending);
        let page = Page {
            limit: 50,
            order: Order::Ascending,
            after: None,
        };
        let targets = bench.store.message_deliveries(app, *id, page).await;
        let targets = targets.expect("a page is read");
        let views: Vec<_> = targets
            .items
            .into_iter()
            .map(|(e, view)| (e.id, view))
            .collect();
        assert_eq!(views, [(endpoint, view)], "both lists say the same");
    }
}

pub(super) async fn deliveries_to_a_deleted_endpoint_read_as_cancelled(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let delivered = bench.accepted(app, &[endpoint, other]).await;
    bench
        .settle(app, (delivered, endpoint), true, Settled::Delivered)
        .await;
    let stored = bench.accepted_stored(app, &[endpoint]).await;
    let fresh = bench.accepted(app, &[endpoint]).await;
    bench
        .store
        .delete_endpoint(app, EndpointRef::Id(endpoint))
        .await
        .expect("it is deleted");
    for round in ["at once", "tidied"] {
        let state = |message| bench.state(app, message, endpoint);
        assert_eq!(
            state(delivered).await,
            Some(DeliveryState::Delivered),
            "{round}"
        );
        assert_eq!(
            state(stored).await,
            Some(DeliveryState::Cancelled),
            "{round}"
        );
        assert_eq!(
            state(fresh).await,
            Some(DeliveryState::Cancelled),
            "{round}"
        );
        settle_down(bench).await;
    }
    let page = Page {
        limit: 9,
        order: Order::Ascending,
        after: None,
    };
    let gone = bench
        .store
        .endpoint_messages(endpoint, MessageFilter::default(), page)
        .await;
    assert_eq!(gone.map(|_| ()), Err(StoreError::NotFound));
}

async fn counts(bench: &Bench, endpoint: EndpointId) -> Counts {
    let (since, until) = (START, bench.now() + Duration::from_secs(1));
    bench
        .store
        .endpoint_counts(endpoint, since, until)
        .await
        .expect("they are counted")
}

pub(super) async fn counts_follow_deliveries(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let delivered = bench.accepted(app, &[endpoint, other]).await;
    bench
        .settle(app, (delivered, endpoint), true, Settled::Delivered)
        .await;
    let failed = bench.accepted(app, &[endpoint]).await;
    bench
        .settle(
            app,
            (failed, endpoint),
            true,
            Settled::Failed(FinalReason::Exhausted),
        )
        .await;
    bench.accepted_stored(app, &[endpoint]).await;
    let unwanted = bench.accepted(app, &[other]).await;
    let expected = Counts {
        success: 1,
        pending: 1,
        fail: 1,
        cancelled: 0,
    };
    assert_eq!(counts(bench, endpoint).await, expected);
    assert_eq!(
        counts(bench, other).await,
        Counts {
            pending: 2,
            ..Counts::default()
        }
    );
    settle_down(bench).await;
    assert_eq!(counts(bench, endpoint).await, expected, "folded");

    let now = bench.now();
    for message in [failed, delivered, unwanted] {
        bench
            .store
            .resend(app, message, endpoint, now)
            .await
            .expect("it is sent again");
    }
    let reopened = Counts {
        success: 0,
        pending: 4,
        fail: 0,
        cancelled: 0,
    };
    assert_eq!(
        counts(bench, endpoint).await,
        reopened,
        "what is sent again is pending again"
    );
    for message in [failed, delivered, unwanted] {
        bench
            .settle(app, (message, endpoint), false, Settled::Delivered)
            .await;
    }
    let done = Counts {
        success: 3,
        pending: 1,
        fail: 0,
        cancelled: 0,
    };
    assert_eq!(counts(bench, endpoint).await, done);
    settle_down(bench).await;
    assert_eq!(counts(bench, endpoint).await, done, "folded again");
    assert_eq!(
        owed(bench, endpoint, &MessageFilter::default()).await.len(),
        4
    );
}

pub(super) async fn counts_are_by_hour(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let first = bench.now();
    bench.accepted(app, &[endpoint]).await;
    bench.pass(Duration::from_secs(3 * 3600));
    let second = bench.now();
    bench.accepted(app, &[endpoint]).await;
    let pending = async |since, until| {
        let counts = bench.store.endpoint_counts(endpoint, since, until).await;
        counts.expect("they are counted").pending
    };
    for _ in 0..2 {
        let later = second + Duration::from_secs(1);
        assert_eq!(pending(first, later).await, 2);
        assert_eq!(pending(first, first + Duration::from_secs(1)).await, 1);
        assert_eq!(pending(second, later).await, 1);
        let between = first + Duration::from_secs(3600);
        assert_eq!(
            pending(between, between + Duration::from_secs(3600)).await,
            0
        );
        settle_down(bench).await;
    }
}
