//! What a node changes is noted for the others, and they hear of it.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::{
    ApiKey, Application, CustomHeaders, DisableReason, Endpoint, EndpointSecrets, Role,
};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use super::Database;
use super::two_nodes::another;
use crate::conformance::Bench;
use crate::postgres::PostgresStore;
use crate::postgres::column::{get, to_column};
use crate::postgres::link::params;
use crate::{AppRef, Catalogue, Cluster, EndpointRef, Keys, News};

/// Longer than any news takes, unless it is lost.
const LOST: Duration = Duration::from_secs(60);

/// What was noted so far: kind, application, id.
async fn noted(store: &PostgresStore) -> Vec<(i16, i64, i64)> {
    let sql = "SELECT kind, app_id, id FROM change WHERE origin = $1 ORDER BY seq";
    let client = store.client().await.unwrap();
    let own = store.membership.incarnation();
    let rows = store.link(&client).all(sql, params![own]).await.unwrap();
    let one = |row| Ok((get(row, 0)?, get(row, 1)?, get(row, 2)?));
    let all: Result<_, crate::postgres::Fault> = rows.iter().map(one).collect();
    all.unwrap()
}

/// Does something, and says by how much the version of an application's routes grew, and what was noted.
async fn after(
    bench: &Bench,
    store: &PostgresStore,
    app: ringbolt_model::AppId,
    work: impl Future<Output = ()>,
) -> (u64, Vec<(i16, i64, i64)>) {
    let before = bench.store.routes_version(app).await.unwrap();
    let known = noted(store).await.len();
    work.await;
    let grown = bench.store.routes_version(app).await.unwrap() - before;
    (grown, noted(store).await.split_off(known))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_noted_and_those_of_routes_are_counted() {
    let database = Database::new();
    let store = Arc::clone(&database.store);
    let bench = Bench::on(database).await;
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let by_id = || EndpointRef::Id(endpoint);
    let (key, row) = (to_column(app.raw()), to_column(endpoint.raw()));
    let at = bench.now();

    let new = bench.new_endpoint(app);
    let created = to_column(new.endpoint.id.raw());
    let work = async { store.create_endpoint(new).await.unwrap() };
    let expected = (1, vec![(2, key, created)]);
    assert_eq!(after(&bench, &store, app, work).await, expected);

    let work = async {
        let edit = Box::new(|endpoint: &mut Endpoint| endpoint.description = "x".into());
        store.edit_endpoint(app, by_id(), edit).await.unwrap();
    };
    let expected = (1, vec![(2, key, row)]);
    assert_eq!(after(&bench, &store, app, work).await, expected);
    let disable = async |done| {
        let disabled = store.disable_endpoint(endpoint, DisableReason::Gone, at);
        assert_eq!(disabled.await, Ok(done));
    };
    assert_eq!(after(&bench, &store, app, disable(true)).await, expected);
    let nothing = (0, Vec::new());
    assert_eq!(after(&bench, &store, app, disable(false)).await, nothing);
    let work = async { store.keep_failing(endpoint, None).await.unwrap() };
    assert_eq!(after(&bench, &store, app, work).await, nothing);

    let work = async {
        let edit = Box::new(|_: &mut EndpointSecrets| ());
        store.edit_secrets(endpoint, edit).await.unwrap();
        let edit = Box::new(|_: &mut CustomHeaders| ());
        store.edit_headers(endpoint, edit).await.unwrap();
    };
    let expected = (0, vec![(2, key, row); 2]);
    assert_eq!(after(&bench, &store, app, work).await, expected);

    let work = async {
        let deleted = store.delete_endpoint(app, by_id()).await;
        assert_eq!(deleted, Ok(endpoint));
    };
    let expected = (1, vec![(2, key, row)]);
    assert_eq!(after(&bench, &store, app, work).await, expected);
    let work = async {
        let edit = Box::new(|app: &mut Application| app.name.push('x'));
        store.edit_application(AppRef::Id(app), edit).await.unwrap();
    };
    let expected = (1, vec![(1, key, key)]);
    assert_eq!(after(&bench, &store, app, work).await, expected);

    let known = noted(&store).await.len();
    store.delete_application(AppRef::Id(app)).await.unwrap();
    assert_eq!(noted(&store).await.split_off(known), [(1, key, key)]);
    assert!(store.routes_version(app).await.is_err());
}

fn key(bench: &Bench, app: Option<ringbolt_model::AppId>, role: Role, hash: u8) -> ApiKey {
    ApiKey {
        id: bench.ids.next(bench.now()),
        name: "a\0key".into(),
        hash: [hash; 32],
        role,
        app,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        portal: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_hears_of_what_was_changed() {
    let database = Database::new();
    let (here, there) = (Arc::clone(&database.store), another(&database).await);
    let (sender, mut heard) = unbounded_channel();
    there.hear(Box::new(move |news| drop(sender.send(news))));
    let bench = Bench::on(database).await;
    let mut hears = async |expected: News| {
        let found = async { while heard.recv().await.unwrap() != expected {} };
        timeout(LOST, found).await.expect("it is heard");
    };
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    hears(News::Endpoint(app, endpoint)).await;
    let edit = Box::new(|app: &mut Application| app.name.push('x'));
    here.edit_application(AppRef::Id(app), edit).await.unwrap();
    hears(News::Application(app)).await;

    let of_nobody = key(&bench, None, Role::Sender, 1);
    let portals = [2, 3].map(|hash| key(&bench, Some(app), Role::Portal, hash));
    for key in [&of_nobody].into_iter().chain(&portals) {
        here.create_key(key.clone()).await.unwrap();
    }
    here.revoke_key(of_nobody.id, bench.now()).await.unwrap();
    hears(News::Key(of_nobody.id)).await;
    let ended = here.end_portals(app, Vec::new(), bench.now(), None).await;
    assert_eq!(ended, Ok(portals.each_ref().map(|key| key.id).to_vec()));
    for portal in portals {
        hears(News::Key(portal.id)).await;
    }
}
