//! Large payloads go in parts, and nobody sees one of which a part is overwritten.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::{AppId, EndpointId, MessageId};
use tempfile::TempDir;

use super::LARGE;
use crate::conformance::Bench;
use crate::sqlite::tests::TempStore;
use crate::{
    AppRef, Catalogue, Deliveries, Log, MessageRef, ResendRefused, SqliteStore, StoreError, Tidied,
    Upkeep,
};

const DAY: Duration = Duration::from_secs(86_400);
/// Four parts.
const BYTES: usize = 3 * LARGE + 1;

/// A store with a message whose payload is large.
struct Scene {
    bench: Bench,
    store: Arc<SqliteStore>,
    folder: Arc<TempDir>,
    app: AppId,
    endpoint: EndpointId,
    message: MessageId,
}

impl Scene {
    async fn set() -> Self {
        let ground = TempStore::new();
        let (store, folder) = (Arc::clone(&ground.store), Arc::clone(&ground.folder));
        let bench = Bench::on(ground).await;
        let app = bench.app().await;
        let endpoint = bench.endpoint(app).await;
        let mut message = bench.message(app);
        message.payload = Some(vec![b'7'; BYTES].into());
        let id = message.id;
        let accept = bench.to_accept(message, &[]);
        bench.accept(accept).await.unwrap();
        Self {
            bench,
            store,
            folder,
            app,
            endpoint,
            message: id,
        }
    }

    async fn tidy(&self) -> Tidied {
        self.store.tidy(self.bench.now()).await.unwrap()
    }

    async fn tidy_all(&self) {
        while self.tidy().await.more {}
    }

    /// Whether the message has a payload; `None` if there is no message.
    async fn has_payload(&self) -> Option<bool> {
        let by_id = MessageRef::Id(self.message);
        match self.store.message(self.app, by_id, true).await {
            Ok(message) => Some(message.payload.is_some()),
            Err(StoreError::NotFound) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// How many bytes of the payload are overwritten, if they are to be.
    async fn overwritten(&self) -> Option<usize> {
        let id = self.message.raw().cast_signed();
        let found = self.store.read(move |conn| Ok(super::standing(conn, id)?));
        found.await.unwrap().1
    }

    /// Whether the file shows, after a stop in good order, what the payload was.
    fn shows_it(&self) -> bool {
        self.store.close();
        let file = std::fs::read(self.folder.path().join("store.db")).unwrap();
        file.windows(100).any(|part| part == [b'7'; 100])
    }
}

#[tokio::test]
async fn an_expunged_payload_is_gone_at_once_and_overwritten_in_parts() {
    let scene = Scene::set().await;
    scene
        .store
        .expunge_message(scene.app, scene.message)
        .await
        .unwrap();
    assert_eq!(scene.overwritten().await, Some(0));
    let mut before = 0;
    loop {
        assert_eq!(scene.has_payload().await, Some(false));
        let tidied = scene.tidy().await;
        let Some(now) = scene.overwritten().await else {
            break;
        };
        assert!(now - before <= LARGE, "from {before} to {now}");
        assert!(tidied.more);
        before = now;
    }
    assert_eq!(before, BYTES);
    assert_eq!(scene.has_payload().await, Some(false));
    assert!(!scene.shows_it());
}

#[tokio::test]
async fn what_is_being_overwritten_is_not_sent_again() {
    let scene = Scene::set().await;
    let Scene { app, message, .. } = scene;
    let (bench, endpoint) = (&scene.bench, scene.endpoint);
    let resend = || scene.store.resend(app, message, endpoint, bench.now());
    assert!(resend().await.is_ok());
    scene.store.expunge_message(app, message).await.unwrap();
    let refused = resend().await;
    assert!(
        matches!(refused, Err(ResendRefused::MissingPayload)),
        "{refused:?}"
    );
    let due = scene
        .store
        .due(endpoint, bench.now(), 10, usize::MAX)
        .await
        .unwrap();
    assert_eq!(due.deliveries.len(), 1);
    assert_eq!(due.deliveries[0].message.payload, None);
}

#[tokio::test]
async fn a_step_reads_a_large_payload_and_the_next_one_removes_it() {
    let scene = Scene::set().await;
    scene.bench.pass(DAY * 31);
    let mut steps = 0;
    while scene.has_payload().await.is_some() {
        assert_eq!(*scene.store.tidying.large.lock(), None);
        while scene.store.tidying.large.lock().is_none() {
            assert!(scene.tidy().await.more);
        }
        assert_eq!(scene.has_payload().await, Some(true));
        scene.tidy().await;
        steps += 1;
    }
    assert_eq!(steps, 1);
}

#[tokio::test]
async fn what_was_expunged_is_overwritten_though_its_application_goes_meanwhile() {
    let scene = Scene::set().await;
    scene
        .store
        .expunge_message(scene.app, scene.message)
        .await
        .unwrap();
    scene
        .store
        .delete_application(AppRef::Id(scene.app))
        .await
        .unwrap();
    scene.bench.pass(Duration::from_secs(60));
    scene.tidy_all().await;
    let left = scene.store.read(|conn| {
        let sql = "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM gone_content)";
        Ok(conn.query_row(sql, (), |row| row.get::<_, i64>(0))?)
    });
    assert_eq!(left.await.unwrap(), 0);
    assert!(!scene.shows_it());
}

#[tokio::test]
async fn a_payload_whose_time_is_over_is_overwritten_in_parts_too() {
    let scene = Scene::set().await;
    let mut message = scene.bench.message(scene.app);
    message.payload = Some(vec![b'8'; BYTES].into());
    message.expires_at = Some(scene.bench.now());
    let id = message.id;
    let accept = scene.bench.to_accept(message, &[]);
    scene.bench.accept(accept).await.unwrap();
    let scene = Scene {
        message: id,
        ..scene
    };
    let mut parts = 0;
    loop {
        let before = scene.overwritten().await;
        if !scene.tidy().await.more {
            break;
        }
        parts += usize::from(before < scene.overwritten().await);
    }
    // It was put down, then overwritten in four parts.
    assert_eq!(parts, 5);
    let found = scene
        .store
        .message(scene.app, MessageRef::Id(id), true)
        .await
        .unwrap();
    assert_eq!((found.payload, found.expires_at), (None, None));
    scene.store.close();
    let file = std::fs::read(scene.folder.path().join("store.db")).unwrap();
    assert!(!file.windows(100).any(|part| part == [b'8'; 100]));
    assert!(scene.shows_it(), "another's payload is still there");
}
