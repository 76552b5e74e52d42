//! What keeping applications means.

use ringbolt_model::{AppId, Application, Metadata};

use super::uid;
use crate::conformance::Bench;
use crate::{AppRef, EndpointRef, Listing, Order, Page, StoreError};

fn full_application(bench: &Bench) -> Application {
    Application {
        uid: Some(uid("acme")),
        throttle_rate: std::num::NonZeroU16::new(7),
        metadata: Metadata([("a".to_owned(), "b\"c".to_owned())].into()),
        ..bench.application()
    }
}

pub(super) async fn an_application_is_found_as_it_was_stored(bench: &Bench) {
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

pub(super) async fn a_uid_names_one_application_and_is_free_after_its_deletion(bench: &Bench) {
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

pub(super) async fn an_edit_that_fails_changes_nothing(bench: &Bench) {
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

pub(super) async fn lists_run_both_ways_in_pages(bench: &Bench) {
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

pub(super) async fn a_deleted_application_takes_its_endpoints_along(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let (first, second) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let kept = bench.endpoint(other).await;
    let owned = bench.store.delete_application(AppRef::Id(app)).await;
    assert_eq!(owned, Ok(vec![first, second]));
    let gone = bench.store.endpoint(app, EndpointRef::Id(first)).await;
    assert_eq!(gone, Err(StoreError::NotFound));
    assert_eq!(bench.endpoints(app).await, []);
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

pub(super) async fn edits_at_once_lose_nothing(bench: &Bench) {
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
