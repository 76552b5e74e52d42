//! What keeping applications, endpoints and event types means.

use std::time::Duration;

use ringbolt_model::Secret;
use ringbolt_model::endpoint::{Disabled, Failing};
use ringbolt_model::{
    AppId, Application, CustomHeaders, DisableReason, EndpointSecrets, EventType, EventTypeName,
    Metadata, SignatureHeaders, Subscription, Timestamp, Uid,
};

use super::{Bench, Ground, run};
use crate::{AppRef, EndpointRef, Listing, NewEndpoint, Order, Page, StoreError};

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        an_application_is_found_as_it_was_stored,
        a_uid_names_one_application_and_is_free_after_its_deletion,
        an_edit_that_fails_changes_nothing,
        lists_run_both_ways_in_pages,
        a_deleted_application_takes_its_endpoints_along,
        an_endpoint_is_found_as_it_was_stored,
        a_uid_names_one_endpoint_of_its_application,
        endpoints_of_an_application_are_bounded,
        secrets_and_headers_are_edited,
        an_endpoint_is_disabled_once,
        how_long_an_endpoint_fails_is_kept,
        event_types_are_archived_and_come_back,
        event_types_are_listed_by_name,
        edits_at_once_lose_nothing,
    );
}

fn uid(text: &str) -> Uid {
    text.parse().expect("a uid")
}

fn name(text: &str) -> EventTypeName {
    text.parse().expect("a name")
}

fn full_application(bench: &Bench) -> Application {
    Application {
        uid: Some(uid("acme")),
        throttle_rate: std::num::NonZeroU16::new(7),
        metadata: Metadata([("a".to_owned(), "b\"c".to_owned())].into()),
        ..bench.application()
    }
}

async fn an_application_is_found_as_it_was_stored(bench: &Bench) {
    let app = full_application(bench);
    bench
        .store
        .create_application(app.clone())
        .await
        .expect("it is stored");
    assert_eq!(
        bench.store.application(AppRef::Id(app.id)).await,
        Ok(app.clone())
    );
    assert_eq!(
        bench.store.application(AppRef::Uid(uid("acme"))).await,
        Ok(app.clone())
    );
    let missing = bench.store.application(AppRef::Uid(uid("other"))).await;
    assert_eq!(missing, Err(StoreError::NotFound));
    let edit = Box::new(|app: &mut Application| {
        app.name = "Other".into();
        app.uid = None;
    });
    let edited = bench.store.edit_application(AppRef::Id(app.id), edit).await;
    let expected = Application {
        name: "Other".into(),
        uid: None,
        ..app.clone()
    };
    assert_eq!(edited, Ok(expected.clone()));
    assert_eq!(
        bench.store.application(AppRef::Id(app.id)).await,
        Ok(expected)
    );
}

async fn a_uid_names_one_application_and_is_free_after_its_deletion(bench: &Bench) {
    let first = full_application(bench);
    let second = Application {
        id: bench.ids.next(bench.now()),
        ..first.clone()
    };
    bench
        .store
        .create_application(first.clone())
        .await
        .expect("it is stored");
    let refused = bench.store.create_application(second.clone()).await;
    assert_eq!(refused, Err(StoreError::Conflict("uid")));
    bench
        .store
        .delete_application(AppRef::Uid(uid("acme")))
        .await
        .expect("it is deleted");
    let gone = bench.store.application(AppRef::Id(first.id)).await;
    assert_eq!(gone, Err(StoreError::NotFound));
    let again = bench.store.delete_application(AppRef::Id(first.id)).await;
    assert_eq!(again, Err(StoreError::NotFound));
    assert_eq!(bench.store.create_application(second).await, Ok(()));
}

async fn an_edit_that_fails_changes_nothing(bench: &Bench) {
    bench
        .store
        .create_application(full_application(bench))
        .await
        .expect("it is stored");
    let app = bench.app().await;
    let edit = Box::new(|app: &mut Application| {
        app.name = "Other".into();
        app.uid = Some(uid("acme"));
    });
    let refused = bench.store.edit_application(AppRef::Id(app), edit).await;
    assert_eq!(refused, Err(StoreError::Conflict("uid")));
    let unchanged = bench
        .store
        .application(AppRef::Id(app))
        .await
        .expect("it is there");
    assert_eq!((unchanged.name.as_str(), unchanged.uid), ("Acme", None));
}

async fn lists_run_both_ways_in_pages(bench: &Bench) {
    let mut apps: Vec<AppId> = Vec::new();
    for _ in 0..5 {
        apps.push(bench.app().await);
    }
    bench
        .store
        .delete_application(AppRef::Id(apps.remove(2)))
        .await
        .expect("it is deleted");
    let page = |limit, order, after| async move {
        let Listing {
            items,
            reached,
            done,
        } = bench
            .store
            .applications(Page {
                limit,
                order,
                after,
            })
            .await
            .expect("it is read");
        let ids: Vec<_> = items.iter().map(|app| app.id).collect();
        assert_eq!(reached, ids.last().copied());
        (ids, done)
    };
    let (up, down) = (Order::Ascending, Order::Descending);
    assert_eq!(page(3, up, None).await, (apps[..3].to_vec(), false));
    assert_eq!(page(3, up, Some(apps[2])).await, (apps[3..].to_vec(), true));
    assert_eq!(page(4, up, None).await, (apps.clone(), true));
    assert_eq!(
        page(2, down, Some(apps[3])).await,
        (vec![apps[2], apps[1]], false)
    );
    assert_eq!(page(9, down, Some(apps[0])).await, (Vec::new(), true));
}

async fn a_deleted_application_takes_its_endpoints_along(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let (first, second) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let kept = bench.endpoint(other).await;
    let owned = bench.store.delete_application(AppRef::Id(app)).await;
    assert_eq!(owned, Ok(vec![first, second]));
    let gone = bench.store.endpoint(app, EndpointRef::Id(first)).await;
    assert_eq!(gone, Err(StoreError::NotFound));
    assert_eq!(bench.store.all_endpoints(app).await, Ok(Vec::new()));
    assert!(matches!(
        bench.store.destination(second).await,
        Err(StoreError::NotFound)
    ));
    assert!(
        bench
            .store
            .endpoint(other, EndpointRef::Id(kept))
            .await
            .is_ok()
    );
    let refused = bench.store.create_endpoint(bench.new_endpoint(app)).await;
    assert_eq!(refused, Err(StoreError::NotFound));
}

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

async fn an_endpoint_is_found_as_it_was_stored(bench: &Bench) {
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
    assert_eq!(
        bench.store.all_endpoints(app).await,
        Ok(vec![endpoint.clone()])
    );
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

async fn a_uid_names_one_endpoint_of_its_application(bench: &Bench) {
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

async fn endpoints_of_an_application_are_bounded(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let refused = loop {
        if let Err(refused) = bench.store.create_endpoint(bench.new_endpoint(app)).await {
            break refused;
        }
    };
    let StoreError::TooMany { limit, .. } = refused else {
        panic!("{refused}")
    };
    let endpoints = bench.store.all_endpoints(app).await.expect("they are read");
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

async fn secrets_and_headers_are_edited(bench: &Bench) {
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

async fn an_endpoint_is_disabled_once(bench: &Bench) {
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

async fn how_long_an_endpoint_fails_is_kept(bench: &Bench) {
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

fn event_type(bench: &Bench, text: &str) -> EventType {
    EventType {
        name: name(text),
        description: "what happened".into(),
        archived: false,
        deprecated: true,
        schemas: Some("{\"1\": {}}".into()),
        feature_flag: Some("beta".into()),
        group_name: Some("money".into()),
        created_at: bench.now(),
        updated_at: bench.now(),
    }
}

async fn event_types_are_archived_and_come_back(bench: &Bench) {
    let store = &bench.store;
    let paid = event_type(bench, "paid");
    assert_eq!(store.create_event_type(paid.clone()).await, Ok(()));
    assert_eq!(store.event_type(name("paid")).await, Ok(paid.clone()));
    let refused = store.create_event_type(paid.clone()).await;
    assert_eq!(refused, Err(StoreError::Conflict("name")));
    let archive = Box::new(|event_type: &mut EventType| event_type.archived = true);
    let archived = store
        .edit_event_type(name("paid"), archive)
        .await
        .expect("it is archived");
    assert!(archived.archived);
    assert_eq!(store.event_type(name("paid")).await, Ok(archived));
    let anew = EventType {
        description: "anew".into(),
        ..paid
    };
    assert_eq!(store.create_event_type(anew.clone()).await, Ok(()));
    assert_eq!(store.event_type(name("paid")).await, Ok(anew));
    assert_eq!(store.expunge_event_type(name("paid")).await, Ok(()));
    assert_eq!(
        store.expunge_event_type(name("paid")).await,
        Err(StoreError::NotFound)
    );
    assert_eq!(
        store.event_type(name("paid")).await,
        Err(StoreError::NotFound)
    );
}

async fn event_types_are_listed_by_name(bench: &Bench) {
    for text in ["b", "a", "d", "c"] {
        let archived = text == "c";
        let event_type = EventType {
            archived,
            ..event_type(bench, text)
        };
        bench
            .store
            .create_event_type(event_type)
            .await
            .expect("it is stored");
    }
    let list = |limit, order, after: Option<&'static str>, archived| async move {
        let page = Page {
            limit,
            order,
            after: after.map(name),
        };
        let listing = bench
            .store
            .event_types(page, archived)
            .await
            .expect("it is read");
        let names: Vec<_> = listing
            .items
            .iter()
            .map(|found| found.name.to_string())
            .collect();
        (names.concat(), listing.done)
    };
    let (up, down) = (Order::Ascending, Order::Descending);
    assert_eq!(list(2, up, None, false).await, ("ab".into(), false));
    assert_eq!(list(2, up, Some("b"), false).await, ("d".into(), true));
    assert_eq!(list(2, up, Some("b"), true).await, ("cd".into(), true));
    assert_eq!(list(2, down, None, true).await, ("dc".into(), false));
    assert_eq!(list(9, down, Some("c"), true).await, ("ba".into(), true));
    let unknown = bench
        .store
        .unknown_event_types(["a", "x", "c", "y"].map(name).into())
        .await;
    assert_eq!(unknown, Ok(vec![name("x"), name("y")]));
}

async fn edits_at_once_lose_nothing(bench: &Bench) {
    let app = bench.app().await;
    let edits = (0..50).map(|_| {
        let edit = Box::new(|app: &mut Application| app.name.push('x'));
        bench.store.edit_application(AppRef::Id(app), edit)
    });
    for edit in join_all(edits.collect()).await {
        assert!(edit.is_ok());
    }
    let found = bench
        .store
        .application(AppRef::Id(app))
        .await
        .expect("it is there");
    assert_eq!(found.name.len(), "Acme".len() + 50);
}

/// Drives futures side by side on this task.
async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    results.into_iter().flatten().collect()
}
