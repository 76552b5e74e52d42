//! Upkeep that is PostgreSQL's own: days that are dropped, and keys that are replaced.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Database;
use super::ground::KEY;
use crate::conformance::{Bench, START};
use crate::postgres::column::get;
use crate::postgres::link::params;
use crate::postgres::{PostgresOpenError, PostgresStore, partitions};
use crate::{Answers, Catalogue, KeptAnswer, MessageRef, Settled, Upkeep, Write};

const DAY: Duration = Duration::from_secs(86_400);

async fn tidy(bench: &Bench) {
    while bench.store.tidy(bench.now()).await.unwrap().more {}
}

async fn count(store: &PostgresStore, table: &str) -> i64 {
    let client = store.client().await.unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    let row = store.link(&client).one(&sql, params![]).await.unwrap();
    get(&row, 0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_past_retention_is_dropped_and_what_is_unfinished_is_carried_forward() {
    let database = Database::new();
    let store = Arc::clone(&database.store);
    let bench = Bench::on(database).await;
    let app = bench.app().await;
    let (endpoint, other) = (bench.endpoint(app).await, bench.endpoint(app).await);
    let done = bench.accepted(app, &[endpoint]).await;
    bench
        .settle(app, (done, endpoint), true, Settled::Delivered)
        .await;
    let waits = bench.accepted_stored(app, &[endpoint, other]).await;
    let tried = bench.outcome(app, (waits, endpoint), false, Settled::Delivered);
    let attempt = tried.attempt.id;
    bench.write(vec![Write::Outcome(tried)]).await;
    bench.pass(store.settings.retention + DAY);
    tidy(&bench).await;

    let client = store.client().await.unwrap();
    let days = partitions::there(store.link(&client)).await.unwrap();
    drop(client);
    assert!(!days.contains(&partitions::day_of(START)));
    assert_eq!(count(&store, "message").await, 1);
    assert_eq!(count(&store, "finished_delivery").await, 1);
    let found = bench.store.message(app, MessageRef::Id(waits), true).await;
    assert!(found.unwrap().payload.is_some());
    assert!(bench.store.attempt(app, waits, attempt).await.is_ok());
    assert_eq!(bench.due(other).await, [waits]);

    bench
        .settle(app, (waits, other), false, Settled::Delivered)
        .await;
    bench.pass(Duration::from_secs(120));
    tidy(&bench).await;
    assert_eq!(count(&store, "message").await, 0, "the rest is tidied too");
    assert_eq!(count(&store, "finished_delivery").await, 0);
}

async fn with_keys(name: &str, keys: Vec<[u8; 32]>) -> Result<PostgresStore, PostgresOpenError> {
    let mut settings = Database::settings(name);
    settings.keys = keys.into();
    PostgresStore::open(settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_reencryption_the_old_key_is_needed_no_more() {
    let database = Database::new();
    let (old, name) = (Arc::clone(&database.store), database.name.clone());
    let bench = Bench::on(database).await;
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    let kept = KeptAnswer {
        body_digest: [2; 16],
        status: 200,
        answer: Bytes::from_static(b"{}"),
    };
    old.keep_answer([1; 16], kept.clone(), START).await.unwrap();

    let both = with_keys(&name, vec![[6; 32], KEY]).await.unwrap();
    let mut renewed = 0;
    loop {
        match both.reencrypt().await.unwrap() {
            0 => break,
            some => renewed += some,
        }
    }
    assert_eq!(renewed, 2);
    let new = with_keys(&name, vec![[6; 32]]).await.unwrap();
    assert!(new.destination(endpoint).await.is_ok());
    assert_eq!(new.kept_answer([1; 16], START).await, Ok(Some(kept)));
}
