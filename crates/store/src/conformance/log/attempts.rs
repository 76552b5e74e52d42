//! Attempts at an endpoint's deliveries and at a message.

use super::super::Bench;
use super::{BOTH, attempts_at, in_order, settle_down, walk};
use crate::{AttemptFilter, Order, Page, Settled, StatusClass, StatusFilter, Write};

pub(super) async fn attempts_at_an_endpoint_are_listed_whatever_is_folded(bench: &Bench) {
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

pub(super) async fn attempts_at_a_message_are_filtered(bench: &Bench) {
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let mut message = bench.message(app);
    message.channels = ["red".parse().expect("a channel")].into();
    message.tags = ["gold".parse().expect("a tag")].into();
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
        (
            AttemptFilter {
                tag: "gold".parse().ok(),
                ..base()
            },
            vec![failed, succeeded, silent],
        ),
        (
            AttemptFilter {
                tag: "tin".parse().ok(),
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
