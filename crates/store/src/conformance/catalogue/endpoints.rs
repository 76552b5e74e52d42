//! What keeping endpoints means.

use std::time::Duration;

use ringbolt_model::endpoint::{Disabled, Failing};
use ringbolt_model::{
    AppId, CustomHeaders, DisableReason, EndpointId, EndpointSecrets, FinalReason, Metadata,
    Secret, SignatureHeaders, Subscription, Timestamp,
};

use super::{name, uid};
use crate::conformance::{Bench, START};
use crate::{EndpointRef, NewEndpoint, Order, Page, Settled, StoreError, Write};

fn full_endpoint(bench: &Bench, app: AppId) -> NewEndpoint {
    let mut new = bench.new_endpoint(app);
    let endpoint = &mut new.endpoint;
    endpoint.uid = Some(uid("main"));
    endpoint.description = "the \"main\" one".into();
    endpoint.subscription = Subscription {
        event_types: [name("a"), name("b")].into(),
        channels: ["c:d".parse().expect("a channel")].into(),
    };
    endpoint.disabled = Some(Disabled {
        since: bench.now(),
        reason: DisableReason::Failing,
    });
    endpoint.throttle_rate = std::num::NonZeroU32::new(100_000);
    endpoint.concurrency = std::num::NonZeroU16::new(3);
    endpoint.schedule = "1s,2m".parse().ok();
    endpoint.signature_headers = Some(SignatureHeaders::Both);
    endpoint.metadata = Metadata([("k".to_owned(), "v".to_owned())].into());
    let (since, last) = (bench.now(), bench.now() + Duration::from_micros(1));
    endpoint.failing = Some(Failing {
        since,
        last,
        messages: 3,
        warned: 50,
        warned_at: [Some(Timestamp::from_seconds(5)), None, None],
        disables_at: Some(Timestamp::from_seconds(6)),
    });
    new.secrets
        .old
        .push((Secret::ed25519_from([1; 32]), bench.now()));
    new.headers = CustomHeaders(vec![("X-Key".into(), "hidden".into())]);
    new
}

pub(super) async fn an_endpoint_is_found_as_it_was_stored(bench: &Bench) {
    let app = bench.app().await;
    let new = full_endpoint(bench, app);
    bench
        .store
        .create_endpoint(new.clone())
        .await
        .expect("it is stored");
    let (id, endpoint) = (new.endpoint.id, new.endpoint.clone());
    assert_eq!(
        bench.store.endpoint(app, EndpointRef::Id(id)).await,
        Ok(endpoint.clone())
    );
    let by_uid = bench
        .store
        .endpoint(app, EndpointRef::Uid(uid("main")))
        .await;
    assert_eq!(by_uid, Ok(endpoint.clone()));
    assert_eq!(bench.endpoints(app).await, std::slice::from_ref(&endpoint));
    let destination = bench.store.destination(id).await.expect("it is there");
    assert_eq!(destination.endpoint, endpoint);
    assert_eq!(destination.headers, new.headers);
    assert_eq!(destination.secrets.current, new.secrets.current);
    assert_eq!(destination.secrets.old, new.secrets.old);
    let foreign = bench
        .store
        .endpoint(bench.app().await, EndpointRef::Id(id))
        .await;
    assert_eq!(foreign, Err(StoreError::NotFound));
}

pub(super) async fn a_uid_names_one_endpoint_of_its_application(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    bench
        .store
        .create_endpoint(full_endpoint(bench, app))
        .await
        .expect("it is stored");
    let twin = full_endpoint(bench, app);
    let refused = bench.store.create_endpoint(twin.clone()).await;
    assert_eq!(refused, Err(StoreError::Conflict("uid")));
    assert_eq!(
        bench
            .store
            .create_endpoint(full_endpoint(bench, other))
            .await,
        Ok(())
    );
    let by_uid = EndpointRef::Uid(uid("main"));
    bench
        .store
        .delete_endpoint(app, by_uid.clone())
        .await
        .expect("it is deleted");
    let gone = bench.store.endpoint(app, by_uid).await;
    assert_eq!(gone, Err(StoreError::NotFound));
    assert_eq!(bench.store.create_endpoint(twin).await, Ok(()));
}

pub(super) async fn endpoints_of_an_application_are_bounded(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let refused = loop {
        if let Err(refused) = bench.store.create_endpoint(bench.new_endpoint(app)).await {
            break refused;
        }
    };
    let StoreError::TooMany { limit, .. } = refused else {
        panic!("{refused}")
    };
    let endpoints = bench.endpoints(app).await;
    assert_eq!(endpoints.len(), limit);
    bench.endpoint(other).await;
    let first = EndpointRef::Id(endpoints[0].id);
    bench
        .store
        .delete_endpoint(app, first)
        .await
        .expect("it is deleted");
    bench.endpoint(app).await;
}

pub(super) async fn a_page_of_endpoints_is_bounded_in_bytes(bench: &Bench) {
    const BYTES: usize = 256 * 1024;
    let app = bench.app().await;
    let mut stored = Vec::new();
    for _ in 0..5 {
        let mut new = bench.new_endpoint(app);
        new.endpoint.description = "x".repeat(BYTES);
        stored.push(new.endpoint.clone());
        let created = bench.store.create_endpoint(new).await;
        created.expect("it is stored");
    }
    let page = Page {
        limit: 250,
        order: Order::Ascending,
        after: None,
    };
    let first = bench.store.endpoints(app, page).await.expect("it is read");
    assert!(first.items.len() == 2 && !first.done);
    assert_eq!(bench.endpoints(app).await, stored, "each once");
}

pub(super) async fn secrets_and_headers_are_edited(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let until = bench.now();
    let edit = Box::new(move |secrets: &mut EndpointSecrets| {
        let fresh = Secret::symmetric_from([9; 24]);
        secrets
            .old
            .push((std::mem::replace(&mut secrets.current, fresh), until));
    });
    let edited = bench
        .store
        .edit_secrets(endpoint, edit)
        .await
        .expect("they are edited");
    assert_eq!(edited.current, Secret::symmetric_from([9; 24]));
    let edit = Box::new(|headers: &mut CustomHeaders| headers.0.push(("A".into(), "b".into())));
    bench
        .store
        .edit_headers(endpoint, edit)
        .await
        .expect("they are edited");
    let destination = bench
        .store
        .destination(endpoint)
        .await
        .expect("it is there");
    assert_eq!(destination.secrets.current, edited.current);
    assert_eq!(
        destination.secrets.old,
        vec![(Secret::symmetric_from([7; 24]), until)]
    );
    assert_eq!(
        destination.headers.0,
        vec![("A".to_owned(), "b".to_owned())]
    );
    let nobody = bench.ids.next(bench.now());
    let missing = bench.store.edit_headers(nobody, Box::new(|_| ())).await;
    assert_eq!(missing, Err(StoreError::NotFound));
}

pub(super) async fn an_endpoint_is_disabled_once(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let now = bench.now();
    let disable = |reason| bench.store.disable_endpoint(endpoint, reason, now);
    assert_eq!(disable(DisableReason::Gone).await, Ok(true));
    assert_eq!(disable(DisableReason::Failing).await, Ok(false));
    let found = bench
        .store
        .endpoint(app, EndpointRef::Id(endpoint))
        .await
        .expect("it is there");
    assert_eq!(
        found.disabled,
        Some(Disabled {
            since: now,
            reason: DisableReason::Gone
        })
    );
    bench
        .store
        .delete_endpoint(app, EndpointRef::Id(endpoint))
        .await
        .expect("it is deleted");
    assert_eq!(disable(DisableReason::Gone).await, Ok(false));
}

pub(super) async fn how_long_an_endpoint_fails_is_kept(bench: &Bench) {
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let now = bench.now();
    for failing in [
        Some(Failing {
            since: now,
            last: now,
            messages: 2,
            warned: 0,
            warned_at: [None; 3],
            disables_at: None,
        }),
        None,
    ] {
        assert_eq!(bench.store.keep_failing(endpoint, failing).await, Ok(()));
        let found = bench.store.endpoint(app, EndpointRef::Id(endpoint)).await;
        assert_eq!(found.expect("it is there").failing, failing);
    }
    assert_eq!(
        bench.store.keep_failing(bench.ids.next(now), None).await,
        Ok(())
    );
}

pub(super) async fn endpoints_that_fail_are_listed_across_applications(bench: &Bench) {
    let mut all = Vec::new();
    for _ in 0..2 {
        let app = bench.app().await;
        for _ in 0..3 {
            all.push((app, bench.endpoint(app).await));
        }
    }
    let failing = Some(Failing {
        since: bench.now(),
        last: bench.now(),
        messages: 1,
        warned: 0,
        warned_at: [None; 3],
        disables_at: None,
    });
    for at in [0, 2, 3, 5] {
        let kept = bench.store.keep_failing(all[at].1, failing).await;
        assert_eq!(kept, Ok(()));
    }
    let disable = |at: usize, reason| bench.store.disable_endpoint(all[at].1, reason, bench.now());
    assert_eq!(disable(1, DisableReason::Gone).await, Ok(true));
    assert_eq!(disable(4, DisableReason::Manual).await, Ok(true));
    let well = bench.store.keep_failing(all[2].1, None).await;
    assert_eq!(well, Ok(()));
    let (app, deleted) = all[3];
    let gone = bench.store.delete_endpoint(app, EndpointRef::Id(deleted));
    assert_eq!(gone.await, Ok(deleted));
    let wanted = [all[0].1, all[1].1, all[5].1];
    assert_eq!(listed(bench, Order::Ascending).await, wanted);
    let mut backwards = listed(bench, Order::Descending).await;
    backwards.reverse();
    assert_eq!(backwards, wanted);
}

pub(super) async fn what_waits_for_endpoints_that_fail_and_how_they_failed_is_told(bench: &Bench) {
    let app = bench.app().await;
    let (failing, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let since = Failing {
        since: bench.now(),
        last: bench.now(),
        messages: 1,
        warned: 0,
        warned_at: [None; 3],
        disables_at: None,
    };
    let kept = bench.store.keep_failing(failing, Some(since)).await;
    assert_eq!(kept, Ok(()));
    let found = async || {
        let page = Page {
            limit: 10,
            order: Order::Ascending,
            after: None,
        };
        let listing = bench.store.failing_endpoints(page, START).await;
        let [one] = <[_; 1]>::try_from(listing.expect("a page").items).expect("one endpoint");
        (one.pending, one.last_failure)
    };
    assert_eq!(found().await, (0, None));

    let owed = [failing, other];
    let [first, second] = [
        bench.accepted(app, &owed).await,
        bench.accepted(app, &owed).await,
    ];
    let at = bench.now();
    let retry = Settled::Retry { at, attempts: 1 };
    let of = |message, endpoint, settled| bench.outcome(app, (message, endpoint), true, settled);
    let before = of(first, failing, Settled::Failed(FinalReason::Exhausted));
    let last = of(second, failing, retry);
    let others = [
        of(first, other, Settled::Failed(FinalReason::Exhausted)),
        of(second, other, Settled::Delivered),
    ];
    let mut latest = last.attempt.clone();
    (latest.headers, latest.body) = Default::default();
    let outcomes = [before, last].into_iter().chain(others);
    bench.write(outcomes.map(Write::Outcome).collect()).await;
    let expected = (1, Some(latest));
    assert_eq!(found().await, expected);
    bench.pass(Duration::from_secs(60));
    while bench.store.tidy(bench.now()).await.expect("a step").more {}
    assert_eq!(found().await, expected, "the same once it is folded");
}

/// The endpoints that fail, read two at a time.
async fn listed(bench: &Bench, order: Order) -> Vec<EndpointId> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = Page {
            limit: 2,
            order,
            after,
        };
        let listing = bench.store.failing_endpoints(page, START).await;
        let listing = listing.expect("a page");
        found.extend(listing.items.iter().map(|one| one.endpoint.id));
        if listing.done {
            return found;
        }
        after = listing.reached;
    }
}
