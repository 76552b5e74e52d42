//! A full disk, a failing disk, and what remains of a transaction that failed.

use std::time::Duration;

use ringbolt_model::{AppId, DeliveryState, EndpointId, MessageId};

use super::ground::TempStore;
use crate::conformance::Bench;
use crate::sqlite::faults::Faults;
use crate::{
    Accept, AcceptRefused, Accepted, IdempotencyKey, MessageRef, Receipt, Settled, SqliteStore,
    StoreError, Unwritable, Write,
};

/// Much more than a slow and busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

struct Stage {
    bench: Bench,
    store: std::sync::Arc<SqliteStore>,
    faults: Faults,
    app: AppId,
    endpoint: EndpointId,
}

async fn stage() -> Stage {
    let ground = TempStore::new();
    let (store, faults) = (ground.store.clone(), ground.faults.clone());
    let bench = Bench::on(ground).await;
    let app = bench.app().await;
    let endpoint = bench.endpoint(app).await;
    Stage {
        bench,
        store,
        faults,
        app,
        endpoint,
    }
}

impl Stage {
    /// A message that needs more room than is left anywhere.
    fn large(&self) -> Accept {
        let mut message = self.bench.message(self.app);
        message.payload = Some(vec![b'1'; 100_000].into());
        self.bench.to_accept(message, &[self.endpoint])
    }

    /// Why it cannot be written now.
    fn why(&self) -> Option<Unwritable> {
        let health = self.store.shared.health();
        assert_eq!(health.writable, health.reason.is_none());
        health.reason
    }

    async fn healthy(&self) {
        let writable = async {
            while !self.store.shared.health().writable {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, writable).await;
        assert!(waited.is_ok(), "not well again: {:?}", self.why());
    }

    fn outcome(&self, message: MessageId, settled: Settled) -> Write {
        Write::Outcome(
            self.bench
                .outcome(self.app, (message, self.endpoint), true, settled),
        )
    }
}

#[tokio::test]
async fn a_file_that_was_moved_away_takes_nothing_until_it_is_back() {
    let stage = stage().await;
    let first = stage.bench.accepted(stage.app, &[stage.endpoint]).await;
    let path = stage.store.shared.path.clone();
    let elsewhere = path.with_extension("moved");
    std::fs::rename(&path, &elsewhere).unwrap();
    let refused = stage.bench.accept(stage.large()).await;
    assert!(matches!(
        refused,
        Err(AcceptRefused::Store(StoreError::Unavailable(_)))
    ));
    // Another file in its place is not taken for it.
    std::fs::copy(&elsewhere, &path).unwrap();
    let refused = stage.bench.accept(stage.large()).await;
    assert!(refused.is_err());
    assert_eq!(stage.why(), Some(Unwritable::Moved));
    std::fs::rename(&elsewhere, &path).unwrap();
    stage.healthy().await;
    assert_eq!(stage.bench.accept(stage.large()).await, Ok(Accepted::New));
    let store: &dyn crate::Store = &*stage.store;
    let found = store.message(stage.app, MessageRef::Id(first), false).await;
    assert!(found.is_ok());
}

#[tokio::test]
async fn a_log_that_was_removed_takes_nothing_and_what_was_in_it_is_kept() {
    let stage = stage().await;
    let message = stage.bench.accepted(stage.app, &[stage.endpoint]).await;
    let log = stage.store.shared.path.with_extension("db-wal");
    std::fs::remove_file(&log).unwrap();
    let refused = stage.bench.accept(stage.large()).await;
    assert!(matches!(
        refused,
        Err(AcceptRefused::Store(StoreError::Unavailable(why))) if why.contains("write-ahead log")
    ));
    assert_eq!(stage.why(), Some(Unwritable::Moved));
    // As if the server had been killed here.
    let after = stage.bench.after_crash().await;
    let found = after
        .store
        .message(stage.app, MessageRef::Id(message), false);
    assert!(found.await.is_ok());
}

#[tokio::test]
async fn a_log_that_was_moved_away_is_used_again_when_it_is_back() {
    let stage = stage().await;
    let message = stage.bench.accepted(stage.app, &[stage.endpoint]).await;
    let log = stage.store.shared.path.with_extension("db-wal");
    let elsewhere = log.with_extension("moved");
    std::fs::rename(&log, &elsewhere).unwrap();
    assert!(stage.bench.accept(stage.large()).await.is_err());
    assert_eq!(stage.why(), Some(Unwritable::Moved));
    std::fs::rename(&elsewhere, &log).unwrap();
    stage.healthy().await;
    assert_eq!(stage.bench.accept(stage.large()).await, Ok(Accepted::New));
    let after = stage.bench.after_crash().await;
    let found = after
        .store
        .message(stage.app, MessageRef::Id(message), false);
    assert!(found.await.is_ok());
}

#[tokio::test]
async fn a_full_disk_refuses_messages_keeps_outcomes_and_recovers() {
    let stage = stage().await;
    let message = stage.bench.accepted(stage.app, &[stage.endpoint]).await;
    stage.faults.let_grow(false);
    let refused = stage.bench.accept(stage.large()).await;
    assert_eq!(refused, Err(AcceptRefused::Store(StoreError::Full)));
    let mut outcome = stage.bench.outcome(
        stage.app,
        (message, stage.endpoint),
        true,
        Settled::Delivered,
    );
    outcome.attempt.body = vec![b'1'; 60_000].into();
    stage
        .store
        .shared
        .queue
        .submit(Write::Outcome(outcome))
        .unwrap();
    let refused = stage.bench.accept(stage.large()).await;
    assert_eq!(refused, Err(AcceptRefused::Store(StoreError::Full)));
    assert_eq!(stage.why(), Some(Unwritable::Full));
    stage.faults.let_grow(true);
    let receipts = stage.bench.receipts(1).await;
    assert!(matches!(
        receipts[0],
        Receipt::Outcome {
            settled: Settled::Delivered,
            ..
        }
    ));
    stage.healthy().await;
    assert_eq!(stage.bench.accept(stage.large()).await, Ok(Accepted::New));
    let state = stage.bench.state(stage.app, message, stage.endpoint).await;
    assert_eq!(state, Some(DeliveryState::Delivered));
}

#[tokio::test]
async fn a_failed_commit_refuses_messages_and_calls_and_recovers() {
    let stage = stage().await;
    // The writer tries again with nothing in its hands, so no count says how many commits fail.
    stage.faults.fail_commits(u32::MAX);
    let accept = stage
        .bench
        .to_accept(stage.bench.message(stage.app), &[stage.endpoint]);
    let refused = stage.bench.accept(accept).await;
    assert!(matches!(
        refused,
        Err(AcceptRefused::Store(StoreError::Unavailable(_)))
    ));
    let refused = stage
        .bench
        .store
        .create_application(stage.bench.application())
        .await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    assert_eq!(stage.why(), Some(Unwritable::Io));
    stage.faults.fail_commits(0);
    stage.healthy().await;
    assert_eq!(stage.why(), None);
    let message = stage.bench.accepted(stage.app, &[stage.endpoint]).await;
    stage
        .bench
        .settle(
            stage.app,
            (message, stage.endpoint),
            true,
            Settled::Delivered,
        )
        .await;
    let after = stage.bench.after_crash().await;
    assert_eq!(after.store.reopen(after.now()).await, Ok(0));
}

/// Leaves a mark on the writer's connection, which ends with it.
async fn mark_the_connection(store: &SqliteStore) {
    store
        .write(|conn| Ok(conn.execute_batch("CREATE TEMP TABLE mark (one)")?))
        .await
        .unwrap();
}

async fn is_marked(store: &SqliteStore) -> bool {
    let sql = "SELECT count(*) FROM sqlite_temp_schema WHERE name = 'mark'";
    let marks = store.write(move |conn| Ok(conn.query_row(sql, (), |row| row.get::<_, u32>(0))?));
    marks.await.unwrap() > 0
}

#[tokio::test]
async fn a_failed_sync_closes_the_connection_and_a_full_disk_does_not() {
    let stage = stage().await;
    mark_the_connection(&stage.store).await;
    stage.faults.let_grow(false);
    let refused = stage.bench.accept(stage.large()).await;
    assert_eq!(refused, Err(AcceptRefused::Store(StoreError::Full)));
    stage.faults.let_grow(true);
    stage.healthy().await;
    assert!(is_marked(&stage.store).await, "it is the one from before");

    stage.faults.fail_commits(1);
    assert!(stage.bench.accept(stage.large()).await.is_err());
    stage.healthy().await;
    assert!(!is_marked(&stage.store).await, "it is another one");
}

#[tokio::test]
async fn outcomes_are_written_once_however_often_commits_fail() {
    let stage = stage().await;
    let first = stage.bench.accepted(stage.app, &[stage.endpoint]).await;
    let second = stage.bench.accepted(stage.app, &[stage.endpoint]).await;
    stage.faults.fail_commits(3);
    let failed = Settled::Retry {
        at: stage.bench.now(),
        attempts: 1,
    };
    let writes = vec![
        stage.outcome(first, Settled::Delivered),
        stage.outcome(second, failed),
    ];
    let receipts = stage.bench.write(writes).await;
    assert_eq!(receipts.len(), 2);
    let after = stage.bench.after_crash().await;
    assert_eq!(after.store.reopen(after.now()).await, Ok(0));
    assert_eq!(after.due(stage.endpoint).await, [second]);
}

#[tokio::test]
async fn a_message_refused_by_a_commit_that_happened_is_not_there() {
    let stage = stage().await;
    let kept = stage.bench.accepted(stage.app, &[stage.endpoint]).await;
    stage.faults.doubt_commits(2);
    let message = stage.bench.message(stage.app);
    let id = message.id;
    let key = Some(IdempotencyKey {
        key: [1; 16],
        body: [1; 16],
    });
    let other = stage.bench.endpoint(stage.app);
    let accept = Accept {
        idempotency: key,
        stored: [stage.endpoint][..].into(),
        ..stage.bench.to_accept(message, &[])
    };
    let refused = stage.bench.accept(accept).await;
    assert!(matches!(
        refused,
        Err(AcceptRefused::Store(StoreError::Unavailable(_)))
    ));
    stage
        .bench
        .settle(stage.app, (kept, stage.endpoint), true, Settled::Delivered)
        .await;
    assert!(other.await.raw() > 0);
    let missing = stage
        .bench
        .store
        .message(stage.app, MessageRef::Id(id), false)
        .await;
    assert_eq!(missing, Err(StoreError::NotFound));
    assert_eq!(stage.bench.due(stage.endpoint).await, []);
    let again = Accept {
        idempotency: key,
        ..stage
            .bench
            .to_accept(stage.bench.message(stage.app), &[stage.endpoint])
    };
    assert_eq!(stage.bench.accept(again).await, Ok(Accepted::New));
    let after = stage.bench.after_crash().await;
    assert_eq!(after.store.reopen(after.now()).await, Ok(1));
}

#[tokio::test]
async fn outcomes_of_a_commit_that_happened_count_once() {
    let stage = stage().await;
    let other = stage.bench.endpoint(stage.app).await;
    let message = stage
        .bench
        .accepted(stage.app, &[stage.endpoint, other])
        .await;
    stage.faults.doubt_commits(2);
    stage
        .bench
        .write(vec![stage.outcome(message, Settled::Delivered)])
        .await;
    stage.healthy().await;
    let after = stage.bench.after_crash().await;
    assert_eq!(after.store.reopen(after.now()).await, Ok(1));
    stage
        .bench
        .settle(stage.app, (message, other), true, Settled::Delivered)
        .await;
    let after = stage.bench.after_crash().await;
    assert_eq!(after.store.reopen(after.now()).await, Ok(0));
}

#[tokio::test]
async fn a_write_that_breaks_no_rule_but_fails_is_refused_alone() {
    let stage = stage().await;
    let sql = "CREATE TRIGGER broken BEFORE INSERT ON message WHEN new.event_type = 'broken' \
        BEGIN SELECT RAISE(ABORT, 'ordered by a test'); END";
    stage
        .store
        .write(move |conn| Ok(conn.execute_batch(sql)?))
        .await
        .unwrap();
    let accepts: Vec<_> = ["good", "broken", "good"]
        .map(|name| {
            let mut message = stage.bench.message(stage.app);
            message.event_type = name.parse().unwrap();
            stage.bench.to_accept(message, &[stage.endpoint])
        })
        .into();
    let answers = stage.bench.accept_all(accepts).await;
    assert_eq!(
        (&answers[0], &answers[2]),
        (&Ok(Accepted::New), &Ok(Accepted::New))
    );
    assert!(matches!(answers[1], Err(AcceptRefused::Store(_))));
    let after = stage.bench.after_crash().await;
    assert_eq!(after.store.reopen(after.now()).await, Ok(2));
}

#[tokio::test]
async fn reopening_tells_of_a_store_that_cannot_be_written_and_is_done_later() {
    let stage = stage().await;
    let message = stage.bench.accepted(stage.app, &[stage.endpoint]).await;
    let after = stage.bench.after_crash().await;
    stage.faults.fail_commits(1);
    let failed = after.store.reopen(after.now()).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
    assert_eq!(after.store.reopen(after.now()).await, Ok(1));
    assert_eq!(after.due(stage.endpoint).await, [message]);
    stage.faults.fail_commits(1);
    let failed = after.store.reopen(after.now()).await;
    assert!(
        matches!(failed, Err(StoreError::Unavailable(_))),
        "nothing is left to do, and yet"
    );
}

#[tokio::test]
async fn a_call_that_panics_is_undone_alone() {
    let stage = stage().await;
    let broken = stage
        .store
        .write::<()>(|conn| {
            conn.execute("DELETE FROM endpoint", ())?;
            panic!("ordered by a test")
        })
        .await;
    assert!(matches!(broken, Err(StoreError::Unavailable(_))));
    assert_eq!(stage.bench.endpoints(stage.app).await.len(), 1);
}
