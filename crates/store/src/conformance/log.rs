//! What looking things up means.

use std::time::Duration;

use ringbolt_model::endpoint::Disabled;
use ringbolt_model::{
    AppId, AttemptId, DeliveryState, DisableReason, EndpointId, FinalReason, MessageId,
};

use super::{Bench, Ground, run};
use crate::{
    AttemptFilter, Counts, EndpointRef, Listing, MessageFilter, MessageRef, Order, Page, Settled,
    StatusClass, StatusFilter, StoreError, Write,
};

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        messages_are_listed_both_ways_page_by_page,
        filters_narrow_messages_and_pages_stay_bounded,
        an_event_id_finds_the_newest_message,
        content_is_given_on_demand,
        what_an_endpoint_is_owed_is_listed_whatever_is_folded,
        attempts_at_an_endpoint_are_listed_whatever_is_folded,
        attempts_at_a_message_are_filtered,
        a_delivery_stands_the_same_in_every_list,
        deliveries_to_a_deleted_endpoint_read_as_cancelled,
        counts_follow_deliveries,
        counts_are_by_hour,
        expunged_content_is_gone_and_the_rest_stays,
        expunged_answers_are_gone_and_the_rest_stays,
        nothing_is_found_through_another_application,
    );
}

const BOTH: [Order; 2] = [Order::Ascending, Order::Descending];

/// Lets everything written so far grow old enough to be folded, and tidies until nothing is left.
async fn settle_down(bench: &Bench) {
    bench.pass(Duration::from_secs(10));
    while bench
        .store
        .tidy(bench.now())
        .await
        .expect("it is tidied")
        .more
    {}
}

/// All items of a list, gathered in pages of so many.
async fn walk<T, K: Copy + PartialEq + std::fmt::Debug>(
    limit: usize,
    order: Order,
    fetch: impl AsyncFn(Page<K>) -> Result<Listing<T, K>, StoreError>,
) -> Vec<T> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let listing = fetch(Page {
            limit,
            order,
            after,
        })
        .await
        .expect("a page is read");
        assert!(listing.items.len() <= limit);
        items.extend(listing.items);
        if listing.done {
            return items;
        }
        assert_ne!(listing.reached, after, "a page goes on");
        after = listing.reached;
    }
}

fn in_order<K: Copy>(keys: &[K], order: Order) -> Vec<K> {
    match order {
        Order::Ascending => keys.to_vec(),
        Order::Descending => keys.iter().rev().copied().collect(),
    }
}

async fn messages_of(bench: &Bench, app: AppId, filter: &MessageFilter) -> Vec<MessageId> {
    let found = walk(50, Order::Ascending, async |page| {
        bench.store.messages(app, filter.clone(), page).await
    });
    found.await.iter().map(|message| message.id).collect()
}

async fn owed(bench: &Bench, endpoint: EndpointId, filter: &MessageFilter) -> Vec<MessageId> {
    let found = walk(50, Order::Ascending, async |page| {
        bench
            .store
            .endpoint_messages(endpoint, filter.clone(), page)
            .await
    });
    found.await.iter().map(|(message, _)| message.id).collect()
}

async fn attempts_at(
    bench: &Bench,
    endpoint: EndpointId,
    filter: &AttemptFilter,
) -> Vec<AttemptId> {
    let found = walk(50, Order::Ascending, async |page| {
        bench
            .store
            .endpoint_attempts(endpoint, filter.clone(), page)
            .await
    });
    found.await.iter().map(|attempt| attempt.id).collect()
}

async fn messages_are_listed_both_ways_page_by_page(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let mut expected = Vec::new();
    for _ in 0..7 {
        expected.push(bench.accepted(app, &[]).await);
        bench.accepted(other, &[]).await;
    }
    for (order, limit) in BOTH
        .into_iter()
        .flat_map(|order| [1, 2, 7, 50].map(|n| (order, n)))
    {
        let found = walk(limit, order, async |page| {
            bench
                .store
                .messages(app, MessageFilter::default(), page)
                .await
        });
        let found: Vec<_> = found.await.iter().map(|message| message.id).collect();
        assert_eq!(
            found,
            in_order(&expected, order),
            "{order:?}, {limit} a page"
        );
    }
}

async fn filters_narrow_messages_and_pages_stay_bounded(bench: &Bench) {
    let app = bench.app().await;
    let mut marked = bench.message(app);
    marked.event_type = "invoice.voided".parse().expect("a name");
    marked.channels = ["red".parse().expect("a channel")].into();
    let (first, at) = (marked.id, bench.now());
    bench
        .accept(bench.to_accept(marked, &[]))
        .await
        .expect("it is accepted");
    bench.pass(Duration::from_secs(60));
    for _ in 0..21 {
        let many = (0..100)
            .map(|_| bench.to_accept(bench.message(app), &[]))
            .collect();
        assert!(bench.accept_all(many).await.iter().all(Result::is_ok));
    }

    let types = vec!["invoice.voided".parse().expect("a name")];
    let by_type = MessageFilter {
        event_types: types,
        ..MessageFilter::default()
    };
    let page = Page {
        limit: 10,
        order: Order::Descending,
        after: None,
    };
    let listing = bench
        .store
        .messages(app, by_type.clone(), page)
        .await
        .expect("a page is read");
    assert!(
        listing.items.is_empty() && !listing.done,
        "a page looks at a bounded number of rows"
    );
    assert_eq!(messages_of(bench, app, &by_type).await, [first]);

    let channel = Some("red".parse().expect("a channel"));
    let by_channel = MessageFilter {
        channel,
        ..MessageFilter::default()
    };
    assert_eq!(messages_of(bench, app, &by_channel).await, [first]);
    let other = Some("blue".parse().expect("a channel"));
    let none = MessageFilter {
        channel: other,
        ..by_channel
    };
    assert!(messages_of(bench, app, &none).await.is_empty());

    let second = at + Duration::from_secs(1);
    let before = MessageFilter {
        before: Some(second),
        ..MessageFilter::default()
    };
    assert_eq!(messages_of(bench, app, &before).await, [first]);
    let after = MessageFilter {
        after: Some(second),
        ..MessageFilter::default()
    };
    assert_eq!(messages_of(bench, app, &after).await.len(), 2_100);
    let exact = MessageFilter {
        before: Some(at),
        ..MessageFilter::default()
    };
    assert!(
        messages_of(bench, app, &exact).await.is_empty(),
        "the moment itself is not before it"
    );
}

async fn an_event_id_finds_the_newest_message(bench: &Bench) {
    let app = bench.app().await;
    let uid: ringbolt_model::Uid = "paid-1".parse().expect("a uid");
    let mut newest = None;
    for _ in 0..2 {
        let mut message = bench.message(app);
        message.event_id = Some(uid.clone());
        newest = Some(message.id);
        bench
            .accept(bench.to_accept(message, &[]))
            .await
            .expect("it is accepted");
        bench.pass(Duration::from_secs(25 * 3600));
    }
    let found = bench
        .store
        .message(app, MessageRef::EventId(uid), false)
        .await;
    assert_eq!(found.map(|message| Some(message.id)), Ok(newest));
    let unknown = MessageRef::EventId("paid-2".parse().expect("a uid"));
    assert_eq!(
        bench.store.message(app, unknown, false).await,
        Err(StoreError::NotFound)
    );
}

async fn content_is_given_on_demand(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let id = bench.accepted(app, &[endpoint]).await;
    for wanted in [true, false] {
        let one = bench
            .store
            .message(app, MessageRef::Id(id), wanted)
            .await
            .expect("it is there");
        assert_eq!(one.payload.is_some(), wanted);
        let filter = MessageFilter {
            with_content: wanted,
            ..MessageFilter::default()
        };
        let page = Page {
            limit: 5,
            order: Order::Ascending,
            after: None,
        };
        let list = bench
            .store
            .messages(app, filter.clone(), page.clone())
            .await;
        assert_eq!(
            list.expect("a page is read").items[0].payload.is_some(),
            wanted
        );
        let list = bench.store.endpoint_messages(endpoint, filter, page).await;
        assert_eq!(
            list.expect("a page is read").items[0].0.payload.is_some(),
            wanted
        );
    }
}

/// Messages that are folded, not folded, and written late below those that are folded.
async fn what_an_endpoint_is_owed_is_listed_whatever_is_folded(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let mut expected = vec![bench.accepted(app, &[endpoint, other]).await];
    let late = bench.message(app);
    bench.accepted(app, &[other]).await;
    for _ in 0..5 {
        expected.push(bench.accepted(app, &[other, endpoint]).await);
    }
    settle_down(bench).await;
    expected.push(late.id);
    bench
        .accept(bench.to_accept(late, &[endpoint]))
        .await
        .expect("it is accepted");
    for _ in 0..5 {
        expected.push(bench.accepted_stored(app, &[endpoint]).await);
        bench.accepted(app, &[other]).await;
    }
    expected.sort_unstable();
    for round in ["half folded", "all folded"] {
        for (order, limit) in BOTH
            .into_iter()
            .flat_map(|order| [1, 3, 50].map(|n| (order, n)))
        {
            let found = walk(limit, order, async |page| {
                bench
                    .store
                    .endpoint_messages(endpoint, MessageFilter::default(), page)
                    .await
            });
            let found: Vec<_> = found.await.iter().map(|(message, _)| message.id).collect();
            assert_eq!(
                found,
                in_order(&expected, order),
                "{round}, {order:?}, {limit} a page"
            );
        }
        settle_down(bench).await;
    }
    let moment = expected[6].time();
    let before = MessageFilter {
        before: Some(moment),
        ..MessageFilter::default()
    };
    let earlier: Vec<_> = expected
        .iter()
        .copied()
        .filter(|id| id.time() < moment)
        .collect();
    assert_eq!(owed(bench, endpoint, &before).await, earlier);
}

async fn attempts_at_an_endpoint_are_listed_whatever_is_folded(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let message = bench.accepted_stored(app, &[endpoint, other]).await;
    let mut expected = Vec::new();
    let tried = |endpoint| bench.outcome(app, (message, endpoint), false, Settled::Waits);
    let late = tried(endpoint);
    for round in 0..2 {
        for _ in 0..5 {
            let mut outcomes = vec![tried(endpoint), tried(other)];
            expected.push(outcomes[0].attempt.id);
            bench
                .write(outcomes.drain(..).map(Write::Outcome).collect())
                .await;
        }
        if round == 0 {
            settle_down(bench).await;
        }
    }
    expected.push(late.attempt.id);
    bench.write(vec![Write::Outcome(late)]).await;
    expected.sort_unstable();
    for round in ["half folded", "all folded"] {
        for (order, limit) in BOTH
            .into_iter()
            .flat_map(|order| [1, 3, 50].map(|n| (order, n)))
        {
            let found = walk(limit, order, async |page| {
                bench
                    .store
                    .endpoint_attempts(endpoint, AttemptFilter::default(), page)
                    .await
            });
            let found: Vec<_> = found.await.iter().map(|attempt| attempt.id).collect();
            assert_eq!(
                found,
                in_order(&expected, order),
                "{round}, {order:?}, {limit} a page"
            );
        }
        settle_down(bench).await;
    }
    let moment = expected[5].time();
    let after = AttemptFilter {
        after: Some(moment),
        ..AttemptFilter::default()
    };
    let later: Vec<_> = expected
        .iter()
        .copied()
        .filter(|id| id.time() > moment)
        .collect();
    assert_eq!(attempts_at(bench, endpoint, &after).await, later);
}

async fn attempts_at_a_message_are_filtered(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let mut message = bench.message(app);
    message.channels = ["red".parse().expect("a channel")].into();
    let id = message.id;
    bench
        .accept(bench.to_accept(message, &[endpoint, other]))
        .await
        .expect("it is accepted");
    let retry = Settled::Retry {
        at: bench.now(),
        attempts: 1,
    };
    let failure = bench.outcome(app, (id, endpoint), true, retry);
    let success = bench.outcome(app, (id, other), true, Settled::Delivered);
    let mut unanswered = bench.outcome(app, (id, endpoint), false, retry);
    unanswered.attempt.status = 0;
    let written = [
        failure.attempt.clone(),
        success.attempt.clone(),
        unanswered.attempt.clone(),
    ];
    let [failed, succeeded, silent] = written.each_ref().map(|attempt| attempt.id);
    bench
        .write([failure, success, unanswered].map(Write::Outcome).into())
        .await;

    let all = AttemptFilter {
        with_content: true,
        ..AttemptFilter::default()
    };
    let page = Page {
        limit: 9,
        order: Order::Ascending,
        after: None,
    };
    let listing = bench
        .store
        .message_attempts(app, id, all, page)
        .await
        .expect("a page is read");
    assert_eq!(
        listing.items, written,
        "attempts are read as they were written"
    );
    assert_eq!(
        bench.store.attempt(app, id, succeeded).await.as_ref(),
        Ok(&written[1])
    );

    let base = AttemptFilter::default;
    let types = |name: &str| vec![name.parse().expect("a name")];
    let channel = |name: &str| Some(name.parse().expect("a channel"));
    let cases = [
        (base(), vec![failed, succeeded, silent]),
        (
            AttemptFilter {
                status: Some(StatusFilter::Success),
                ..base()
            },
            vec![succeeded],
        ),
        (
            AttemptFilter {
                status: Some(StatusFilter::Fail),
                ..base()
            },
            vec![failed, silent],
        ),
        (
            AttemptFilter {
                status: Some(StatusFilter::Pending),
                ..base()
            },
            vec![],
        ),
        (
            AttemptFilter {
                status_class: Some(StatusClass(500)),
                ..base()
            },
            vec![failed],
        ),
        (
            AttemptFilter {
                status_class: Some(StatusClass(200)),
                ..base()
            },
            vec![succeeded],
        ),
        (
            AttemptFilter {
                status_class: Some(StatusClass(0)),
                ..base()
            },
            vec![silent],
        ),
        (
            AttemptFilter {
                endpoint: Some(endpoint),
                ..base()
            },
            vec![failed, silent],
        ),
        (
            AttemptFilter {
                event_types: types("invoice.voided"),
                ..base()
            },
            vec![],
        ),
        (
            AttemptFilter {
                channel: channel("red"),
                ..base()
            },
            vec![failed, succeeded, silent],
        ),
        (
            AttemptFilter {
                channel: channel("blue"),
                ..base()
            },
            vec![],
        ),
    ];
    for (filter, expected) in cases {
        let found = walk(2, Order::Ascending, async |page| {
            bench
                .store
                .message_attempts(app, id, filter.clone(), page)
                .await
        });
        let found: Vec<_> = found.await.iter().map(|attempt| attempt.id).collect();
        assert_eq!(found, expected, "{filter:?}");
        let to_endpoint: Vec<_> = expected.into_iter().filter(|id| *id != succeeded).collect();
        assert_eq!(
            attempts_at(bench, endpoint, &filter).await,
            to_endpoint,
            "{filter:?}"
        );
    }
}

async fn a_delivery_stands_the_same_in_every_list(bench: &Bench) {
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

type Stand = (MessageId, DeliveryState, Option<ringbolt_model::Timestamp>);

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

async fn deliveries_to_a_deleted_endpoint_read_as_cancelled(bench: &Bench) {
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
    let (since, until) = (super::START, bench.now() + Duration::from_secs(1));
    bench
        .store
        .endpoint_counts(endpoint, since, until)
        .await
        .expect("they are counted")
}

async fn counts_follow_deliveries(bench: &Bench) {
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

async fn counts_are_by_hour(bench: &Bench) {
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

async fn expunged_content_is_gone_and_the_rest_stays(bench: &Bench) {
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

async fn expunged_answers_are_gone_and_the_rest_stays(bench: &Bench) {
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

async fn nothing_is_found_through_another_application(bench: &Bench) {
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
