//! What keeping a SQLite file in order means beyond the suite: copies, encryption, size, bounds.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringbolt_model::{AppId, EndpointId, MessageId};

use super::super::tests::{KEY, TempStore, settings};
use crate::conformance::{Bench, START};
use crate::{
    Accept, Answers, AppRef, Catalogue, KeptAnswer, Log, MessageFilter, MessageRef, Order, Page,
    SqliteSettings, SqliteStore, StoreError, Upkeep,
};

const NEW_KEY: [u8; 32] = [6; 32];

async fn accept_many(bench: &Bench, app: AppId, payload: &Bytes) -> usize {
    let accepts: Vec<Accept> = (0..100)
        .map(|_| {
            let mut message = bench.message(app);
            message.payload = Some(payload.clone());
            bench.to_accept(message, &[])
        })
        .collect();
    let answers = bench.accept_all(accepts).await;
    answers.iter().filter(|answer| answer.is_ok()).count()
}

async fn messages_in(store: &SqliteStore, app: AppId) -> usize {
    let page = Page {
        limit: 100_000,
        order: Order::Ascending,
        after: None,
    };
    let listing = store
        .messages(app, MessageFilter::default(), page)
        .await
        .unwrap();
    assert!(listing.done);
    listing.items.len()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[tokio::test]
async fn a_copy_is_complete_and_consistent_while_messages_come_in() {
    let ground = TempStore::new();
    let store = Arc::clone(&ground.store);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let bench = Bench::on(ground).await;
    let app = bench.app().await;
    let payload = Bytes::from(vec![7; 2_000]);
    let before = accept_many(&bench, app, &payload).await;
    let (copied, during) = tokio::join!(
        store.backup(copy.clone()),
        accept_many(&bench, app, &payload)
    );
    copied.unwrap();
    assert_eq!(messages_in(&store, app).await, before + during);
    assert_eq!(files_in(folder.path()), std::slice::from_ref(&copy));
    assert_eq!(
        std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let opened = SqliteStore::open(settings(copy)).unwrap();
    let found = messages_in(&opened, app).await;
    assert!(
        (before..=before + during).contains(&found),
        "{found} of {before} and {during}"
    );
    let intact = opened.read(|conn| {
        Ok(conn.query_row("PRAGMA integrity_check", (), |row| row.get::<_, String>(0))?)
    });
    assert_eq!(intact.await.as_deref(), Ok("ok"));
}

#[tokio::test]
async fn a_copy_replaces_nothing_and_leaves_nothing_when_it_fails() {
    let ground = TempStore::new();
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("copy.db");
    std::fs::write(&taken, "mine").unwrap();
    assert_eq!(
        ground.store.backup(taken.clone()).await,
        Err(StoreError::Conflict("path"))
    );
    assert_eq!(std::fs::read(&taken).unwrap(), b"mine");
    assert_eq!(files_in(folder.path()), [taken]);
    let nowhere = folder.path().join("no such folder").join("copy.db");
    let failed = ground.store.backup(nowhere).await;
    assert!(
        matches!(failed, Err(StoreError::Unavailable(_))),
        "{failed:?}"
    );
}

fn with_keys(path: &Path, keys: Vec<[u8; 32]>) -> SqliteStore {
    let SqliteSettings { clock, .. } = settings(path.to_owned());
    SqliteStore::open(SqliteSettings::new(path.to_owned(), keys, clock)).unwrap()
}

#[tokio::test]
async fn after_reencryption_the_old_key_is_needed_no_more() {
    let bench = Bench::on(TempStore::new()).await;
    let app = bench.application();
    let endpoint = bench.new_endpoint(app.id);
    let secret = endpoint.secrets.current.clone();
    let answer = Bytes::from_static(b"{\"key\": \"whsec_secret\"}");
    let kept = KeptAnswer {
        body_digest: [2; 16],
        status: 200,
        answer,
    };

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let id = endpoint.endpoint.id;
    let old = with_keys(&path, vec![KEY]);
    old.create_application(app).await.unwrap();
    old.create_endpoint(endpoint).await.unwrap();
    old.keep_answer([1; 16], kept.clone(), START).await.unwrap();
    drop(old);

    let both = with_keys(&path, vec![NEW_KEY, KEY]);
    let mut renewed = 0;
    loop {
        match both.reencrypt().await.unwrap() {
            0 => break,
            some => renewed += some,
        }
    }
    assert_eq!(renewed, 2);
    assert_eq!(both.reencrypt().await, Ok(0));
    drop(both);

    let new = with_keys(&path, vec![NEW_KEY]);
    let destination = new.destination(id).await.unwrap();
    assert_eq!(*destination.secrets.current.expose(), *secret.expose());
    assert_eq!(new.kept_answer([1; 16], START).await, Ok(Some(kept)));
}

#[tokio::test]
async fn answers_cannot_be_read_from_the_file() {
    let ground = TempStore::new();
    let answer = Bytes::from_static(b"{\"key\": \"whsec_secret\"}");
    let kept = KeptAnswer {
        body_digest: [2; 16],
        status: 200,
        answer,
    };
    ground
        .store
        .keep_answer([1; 16], kept, START)
        .await
        .unwrap();
    ground.store.close();
    let file = std::fs::read(ground.folder.path().join("store.db")).unwrap();
    assert!(!file.windows(12).any(|part| part == b"whsec_secret"));
}

#[tokio::test]
async fn a_step_is_bounded_and_free_pages_are_given_back() {
    let ground = TempStore::new();
    let store = Arc::clone(&ground.store);
    let bench = Bench::on(ground).await;
    let app = bench.app().await;
    let payload = Bytes::from(vec![7; 16_000]);
    for _ in 0..8 {
        assert_eq!(accept_many(&bench, app, &payload).await, 100);
    }
    let last = bench.accepted(app, &[]).await;
    let pages = async || store.read(|conn| Ok(super::pages(conn)?)).await.unwrap();
    let (_, before, _) = pages().await;
    store.delete_application(AppRef::Id(app)).await.unwrap();
    bench.pass(Duration::from_secs(60));
    let (mut steps, mut given_back, mut left) = (0, 0, before);
    loop {
        let tidied = store.tidy(bench.now()).await.unwrap();
        assert!(tidied.rows <= 2_200, "{tidied:?}");
        if !tidied.more {
            break;
        }
        let (_, now, _) = pages().await;
        given_back = given_back.max(left - now);
        left = now;
        steps += 1;
    }
    assert!(steps > 10, "pages are given back a few at a time");
    // A page of the map that SQLite keeps for moving pages may go along.
    let bounds = super::PAGES as i64..super::PAGES as i64 + 4;
    assert!(bounds.contains(&given_back), "{given_back} in one step");
    let gone = store.message(app, MessageRef::Id(last), false).await;
    assert_eq!(gone.map(|_| ()), Err(StoreError::NotFound));
    let (free, after, size) = pages().await;
    assert!(
        after < before - 1_000 && free < super::FREE_PAGES,
        "{before} to {after}, {free} free"
    );
    assert_eq!(store.sizes().free, u64::try_from(free * size).unwrap());
}

/// Accepts a message to so many endpoints, all of whose deliveries have rows; its content goes at once.
async fn accept_fleeting(bench: &Bench, app: AppId, bytes: usize, endpoints: u64) -> MessageId {
    let mut message = bench.message(app);
    message.payload = Some(vec![b'1'; bytes].into());
    message.expires_at = Some(bench.now());
    let id = message.id;
    let stored: Vec<_> = (1..=endpoints).map(EndpointId::from).collect();
    let accept = Accept {
        stored: stored.as_slice().into(),
        ..bench.to_accept(message, &[])
    };
    bench.accept(accept).await.unwrap();
    id
}

#[tokio::test]
async fn a_step_overwrites_a_bounded_part_of_what_has_expired() {
    let bench = Bench::on(TempStore::new()).await;
    let app = bench.app().await;
    let mut messages = Vec::new();
    for _ in 0..4 {
        messages.push(accept_fleeting(&bench, app, 1 << 20, 0).await);
    }
    let mut steps = 0;
    loop {
        let tidied = bench.store.tidy(bench.now()).await.unwrap();
        steps += 1;
        let mut left = 0;
        for message in &messages {
            let found = bench
                .store
                .message(app, MessageRef::Id(*message), true)
                .await;
            left += usize::from(found.unwrap().payload.is_some());
        }
        assert!(left + steps >= messages.len(), "{left} after {steps}");
        assert!(left == 0 || tidied.more);
        if !tidied.more {
            break;
        }
    }
    assert!(steps >= messages.len());
}

#[tokio::test]
async fn deliveries_of_expired_content_end_in_steps_and_all_of_them_before_it_goes() {
    const ENDPOINTS: u64 = 5_000;
    let ground = TempStore::new();
    let store = Arc::clone(&ground.store);
    let bench = Bench::on(ground).await;
    let app = bench.app().await;
    let message = accept_fleeting(&bench, app, 10, ENDPOINTS).await;
    // Rows of endpoints that need not be there.
    let rows = "WITH RECURSIVE e (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM e WHERE id < ?1) \
        INSERT INTO delivery SELECT id, ?2, 0, 0, 0, 0, NULL FROM e";
    let id = message.raw().cast_signed();
    let made = store.write(move |tx| Ok(tx.execute(rows, (ENDPOINTS.cast_signed(), id))?));
    assert_eq!(made.await.unwrap() as u64, ENDPOINTS);
    let mut expired = 0;
    loop {
        let tidied = bench.store.tidy(bench.now()).await.unwrap();
        assert!(tidied.expired <= 2_000, "{tidied:?}");
        expired += tidied.expired;
        let found = bench
            .store
            .message(app, MessageRef::Id(message), true)
            .await;
        let is_there = found.unwrap().payload.is_some();
        if !is_there {
            break;
        }
    }
    assert_eq!(expired as u64, ENDPOINTS);
}
