//! Two nodes on one database keep one catalogue.

use std::sync::Arc;

use ringbolt_model::{
    Application, DisableReason, Endpoint, EndpointId, EndpointSecrets, EventType, Secret, Uid,
};

use super::Database;
use crate::conformance::Bench;
use crate::postgres::PostgresStore;
use crate::{
    AppRef, Catalogue, EndpointRef, EventTypesShown, NewEndpoint, Order, Page, PostgresSettings,
    StoreError,
};

/// Another node on a database.
pub(super) async fn another(database: &Database) -> Arc<PostgresStore> {
    let settings = Database::settings(&database.name);
    Arc::new(PostgresStore::open(settings).await.unwrap())
}

/// Two nodes, and a bench on the first.
async fn two_nodes() -> (Bench, Arc<PostgresStore>, Arc<PostgresStore>) {
    let database = Database::new();
    let (here, there) = (Arc::clone(&database.store), another(&database).await);
    (Bench::on(database).await, here, there)
}

/// A pooler that hands connections from transaction to transaction forgets statements that were prepared under a name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_names_no_statements_does_the_same() {
    let database = Database::new();
    let settings = PostgresSettings {
        named_statements: false,
        ..Database::settings(&database.name)
    };
    let there = PostgresStore::open(settings).await.unwrap();
    let bench = Bench::on(database).await;
    let app = bench.application();
    there.create_application(app.clone()).await.unwrap();
    let mut new = bench.new_endpoint(app.id);
    new.endpoint.uid = uid();
    there.create_endpoint(new.clone()).await.unwrap();
    let by_id = EndpointRef::Id(new.endpoint.id);
    let edit = Box::new(|endpoint: &mut Endpoint| endpoint.description = "x".into());
    let edited = there.edit_endpoint(app.id, by_id, edit).await.unwrap();
    let gone = there.disable_endpoint(edited.id, DisableReason::Gone, bench.now());
    assert_eq!(gone.await, Ok(true));
    let failing = there.failing_endpoints(first_page(), bench.now()).await;
    let ids: Vec<_> = failing
        .unwrap()
        .items
        .iter()
        .map(|one| one.endpoint.id)
        .collect();
    assert_eq!(ids, [edited.id]);
    let listed = there.endpoints(app.id, first_page()).await.unwrap();
    assert_eq!(listed.items, bench.endpoints(app.id).await);
    let apps = there.applications(first_page()).await.unwrap();
    assert_eq!(apps.items, [app]);
    let shown = EventTypesShown::default();
    let types = there.event_types(first_page(), shown).await.unwrap();
    assert!(types.done && types.items.is_empty());
}

fn first_page<K>() -> Page<K> {
    Page {
        limit: 50,
        order: Order::Ascending,
        after: None,
    }
}

fn uid() -> Option<Uid> {
    Some("main".parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_keeps_the_other_reads_at_once() {
    let (bench, here, there) = two_nodes().await;
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let by_id = || EndpointRef::Id(endpoint);
    let read = there.endpoint(app, by_id()).await;
    assert_eq!(read, here.endpoint(app, by_id()).await);

    let edit = Box::new(|endpoint: &mut Endpoint| endpoint.uid = uid());
    let edited = there.edit_endpoint(app, by_id(), edit).await.unwrap();
    let by_uid = EndpointRef::Uid("main".parse().unwrap());
    assert_eq!(here.endpoint(app, by_uid).await, Ok(edited));
    let fresh = Secret::symmetric_from([9; 24]);
    let secret = fresh.clone();
    let edit = Box::new(move |secrets: &mut EndpointSecrets| secrets.current = secret.clone());
    there.edit_secrets(endpoint, edit).await.unwrap();
    let destination = here.destination(endpoint).await.unwrap();
    assert_eq!(destination.secrets.current, fresh);

    here.delete_endpoint(app, by_id()).await.unwrap();
    let gone = there.endpoint(app, by_id()).await;
    assert_eq!(gone, Err(StoreError::NotFound));
    there.delete_application(AppRef::Id(app)).await.unwrap();
    let refused = here.create_endpoint(bench.new_endpoint(app)).await;
    assert_eq!(refused, Err(StoreError::NotFound));
}

/// One of two was done, the other was told that the uid is taken.
fn one_conflict(results: (Result<(), StoreError>, Result<(), StoreError>)) {
    let mut results = [results.0, results.1];
    results.sort_unstable_by_key(Result::is_err);
    assert_eq!(results, [Ok(()), Err(StoreError::Conflict("uid"))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_uid_is_given_once_though_two_nodes_are_asked() {
    let (bench, here, there) = two_nodes().await;
    for _ in 0..10 {
        let new = || Application {
            uid: uid(),
            ..bench.application()
        };
        let both = tokio::join!(
            here.create_application(new()),
            there.create_application(new())
        );
        one_conflict(both);
        let by_uid = AppRef::Uid("main".parse().unwrap());
        let app = there.application(by_uid.clone()).await.unwrap().id;
        let new = || {
            let mut new = bench.new_endpoint(app);
            new.endpoint.uid = uid();
            new
        };
        one_conflict(tokio::join!(
            here.create_endpoint(new()),
            there.create_endpoint(new())
        ));
        here.delete_application(by_uid).await.unwrap();
    }
}

const EDITS: usize = 50;

async fn count_up(store: &PostgresStore, endpoint: EndpointId) {
    let app = store.destination(endpoint).await.unwrap().endpoint.app;
    for _ in 0..EDITS {
        let edit = Box::new(|endpoint: &mut Endpoint| {
            let counter = endpoint.metadata.0.entry("edits".into()).or_default();
            *counter = (counter.parse().unwrap_or(0_usize) + 1).to_string();
        });
        let by_id = EndpointRef::Id(endpoint);
        store.edit_endpoint(app, by_id, edit).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_of_one_endpoint_on_two_nodes_lose_nothing() {
    let (bench, here, there) = two_nodes().await;
    let endpoint = bench.endpoint(bench.app().await).await;
    tokio::join!(count_up(&here, endpoint), count_up(&there, endpoint));
    let found = here.destination(endpoint).await.unwrap().endpoint;
    let expected = (2 * EDITS).to_string();
    assert_eq!(found.metadata.0.get("edits"), Some(&expected));
}

async fn create_all(store: &PostgresStore, endpoints: Vec<NewEndpoint>) -> usize {
    let mut created = 0;
    for endpoint in endpoints {
        match store.create_endpoint(endpoint).await {
            Ok(()) => created += 1,
            Err(refused) => assert!(matches!(refused, StoreError::TooMany { .. }), "{refused}"),
        }
    }
    created
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_together_create_no_more_endpoints_than_an_application_may_have() {
    let (bench, here, there) = two_nodes().await;
    let app = bench.app().await;
    let some = || (0..15).map(|_| bench.new_endpoint(app)).collect();
    let (ours, theirs) = tokio::join!(create_all(&here, some()), create_all(&there, some()));
    assert_eq!(ours + theirs, here.settings.max_endpoints_per_app);
    assert_eq!(bench.endpoints(app).await.len(), ours + theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_postgresql_refuses_is_written_with_something_in_its_place() {
    let (bench, here, there) = two_nodes().await;
    let app = Application {
        name: "A\0B".into(),
        ..bench.application()
    };
    let id = app.id;
    here.create_application(app).await.unwrap();
    let read = there.application(AppRef::Id(id)).await.unwrap();
    assert_eq!(read.name, "A\u{FFFD}B");
    let edit = Box::new(|app: &mut Application| app.name = "C\0".into());
    let edited = here.edit_application(AppRef::Id(id), edit).await;
    assert_eq!(there.application(AppRef::Id(id)).await, edited);

    let mut new = bench.new_endpoint(id);
    let endpoint = EndpointRef::Id(new.endpoint.id);
    new.endpoint.description = "\0".into();
    new.endpoint.metadata.0.insert("a\0".into(), "\0b".into());
    let metadata = new.endpoint.metadata.clone();
    here.create_endpoint(new).await.unwrap();
    let read = there.endpoint(id, endpoint).await.unwrap();
    assert_eq!(read.description, "\u{FFFD}");
    assert_eq!(read.metadata, metadata, "JSON holds them as they are");

    let name = || "paid".parse().unwrap();
    let event_type = EventType {
        name: name(),
        description: "\0".into(),
        archived: false,
        deprecated: false,
        schemas: Some("{\"1\0\": {}}".into()),
        feature_flag: Some("x\0".into()),
        group_name: None,
        created_at: bench.now(),
        updated_at: bench.now(),
    };
    here.create_event_type(event_type).await.unwrap();
    let read = there.event_type(name()).await.unwrap();
    assert_eq!(read.description, "\u{FFFD}");
    assert_eq!(read.feature_flag.as_deref(), Some("x\u{FFFD}"));
}
