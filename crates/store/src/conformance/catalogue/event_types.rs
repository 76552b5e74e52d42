//! What keeping event types means.

use ringbolt_model::EventType;

use super::name;
use crate::conformance::Bench;
use crate::{Order, Page, StoreError};

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

pub(super) async fn event_types_are_archived_and_come_back(bench: &Bench) {
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

pub(super) async fn event_types_are_listed_by_name(bench: &Bench) {
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
