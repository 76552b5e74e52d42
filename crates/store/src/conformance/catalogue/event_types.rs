//! What keeping event types means.

use ringbolt_model::{EventType, EventTypeName};

use super::name;
use crate::conformance::Bench;
use crate::{EventTypesShown, Order, Page, StoreError};

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
        let shown = EventTypesShown {
            archived,
            schemas: false,
        };
        let page = Page {
            limit,
            order,
            after: after.map(name),
        };
        let listing = bench
            .store
            .event_types(page, shown)
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
    let open = EventType {
        feature_flag: None,
        ..event_type(bench, "e")
    };
    let stored = bench.store.create_event_type(open).await;
    stored.expect("it is stored");
    let known = bench
        .store
        .known_event_types(["a", "x", "e", "c", "y"].map(name).into())
        .await;
    let flag = Some("beta".to_owned());
    assert_eq!(
        known,
        Ok(vec![
            (name("a"), flag.clone()),
            (name("e"), None),
            (name("c"), flag)
        ])
    );
}

pub(super) async fn a_page_of_event_types_is_bounded_in_bytes(bench: &Bench) {
    const BYTES: usize = 1024 * 1024;
    for text in ["a", "b", "c", "d", "e"] {
        let schemas = format!("{{\"1\": {{\"title\": \"{}\"}}}}", "x".repeat(BYTES));
        let event_type = EventType {
            schemas: Some(schemas),
            ..event_type(bench, text)
        };
        let stored = bench.store.create_event_type(event_type).await;
        stored.expect("it is stored");
    }
    let list = |after: Option<EventTypeName>, schemas| async move {
        let page = Page {
            limit: 250,
            order: Order::Ascending,
            after,
        };
        let shown = EventTypesShown {
            archived: false,
            schemas,
        };
        let listing = bench.store.event_types(page, shown).await;
        listing.expect("it is read")
    };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = list(after, true).await;
        let bytes = page
            .items
            .iter()
            .map(|one| one.schemas.as_ref().map_or(0, String::len));
        assert!(bytes.sum::<usize>() <= 4 * BYTES);
        found.extend(page.items.into_iter().map(|one| one.name));
        after = page.reached;
        if page.done {
            break;
        }
    }
    assert_eq!(found, ["a", "b", "c", "d", "e"].map(name));
    let bare = list(None, false).await;
    assert!(bare.done && bare.items.len() == 5);
    assert!(bare.items.iter().all(|one| one.schemas.is_none()));
}
