//! Messages of an application, and those that an endpoint is owed.

use std::time::Duration;

use ringbolt_model::Uid;

use super::super::Bench;
use super::{BOTH, in_order, messages_of, owed, settle_down, walk};
use crate::{MessageFilter, MessageRef, Order, Page, StoreError};

pub(super) async fn messages_are_listed_both_ways_page_by_page(bench: &Bench) {
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

pub(super) async fn filters_narrow_messages_and_pages_stay_bounded(bench: &Bench) {
    let app = bench.app().await;
    let mut marked = bench.message(app);
    marked.event_type = "invoice.voided".parse().expect("a name");
    marked.channels = ["red".parse().expect("a channel")].into();
    marked.tags = ["gold".parse().expect("a tag")].into();
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

    let tag = Some("gold".parse().expect("a tag"));
    let by_tag = MessageFilter {
        tag,
        ..MessageFilter::default()
    };
    assert_eq!(messages_of(bench, app, &by_tag).await, [first]);
    let other = Some("tin".parse().expect("a tag"));
    let none = MessageFilter {
        tag: other,
        ..by_tag
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

pub(super) async fn an_event_id_finds_the_newest_message(bench: &Bench) {
    let app = bench.app().await;
    let uid: Uid = "paid-1".parse().expect("a uid");
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

pub(super) async fn content_is_given_on_demand(bench: &Bench) {
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
pub(super) async fn what_an_endpoint_is_owed_is_listed_whatever_is_folded(bench: &Bench) {
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
