//! What API keys mean.

use std::time::Duration;

use ringbolt_model::{ApiKey, AppId, Capability, KeyId, PortalAccess, Role};

use super::{Bench, Ground, run};
use crate::{Order, Page, StoreError};

/// Runs the cases of this area.
pub async fn suite<G: Ground + 'static>(make: impl Fn() -> G) {
    run!(
        make,
        a_key_is_found_by_the_hash_of_its_token,
        keys_are_listed_for_all_or_one_application,
        a_revoked_key_is_revoked_once,
        a_key_remembers_its_last_use,
        a_portal_remembers_what_it_is_limited_to,
        the_portals_of_an_application_end_together,
    );
}

fn key(bench: &Bench, hash: u8, app: Option<AppId>) -> ApiKey {
    ApiKey {
        id: bench.ids.next(bench.now()),
        name: "ci".into(),
        hash: [hash; 32],
        role: Role::Sender,
        app,
        expires_at: Some(bench.now() + Duration::from_secs(3600)),
        last_used_at: None,
        revoked_at: None,
        portal: None,
    }
}

async fn a_key_is_found_by_the_hash_of_its_token(bench: &Bench) {
    let app = bench.app().await;
    let key = key(bench, 1, Some(app));
    bench
        .store
        .create_key(key.clone())
        .await
        .expect("it is stored");
    assert_eq!(bench.store.key_by_hash([1; 32]).await.as_ref(), Ok(&key));
    assert_eq!(
        bench.store.key_by_hash([2; 32]).await,
        Err(StoreError::NotFound)
    );
    let again = bench.store.create_key(key).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

async fn keys_are_listed_for_all_or_one_application(bench: &Bench) {
    let app = bench.app().await;
    let mut ids = Vec::new();
    for hash in 0..4 {
        let key = key(bench, hash, (hash % 2 == 0).then_some(app));
        ids.push(key.id);
        bench.store.create_key(key).await.expect("it is stored");
    }
    let list = async |app, order, after, limit| {
        let listing = bench
            .store
            .keys(
                app,
                Page {
                    limit,
                    order,
                    after,
                },
            )
            .await;
        let listing = listing.expect("a page is read");
        let found: Vec<KeyId> = listing.items.iter().map(|key| key.id).collect();
        (found, listing.done)
    };
    assert_eq!(
        list(None, Order::Ascending, None, 9).await,
        (ids.clone(), true)
    );
    let first_two = vec![ids[3], ids[2]];
    assert_eq!(
        list(None, Order::Descending, None, 2).await,
        (first_two, false)
    );
    let rest = vec![ids[1], ids[0]];
    assert_eq!(
        list(None, Order::Descending, Some(ids[2]), 2).await,
        (rest, true)
    );
    assert_eq!(
        list(Some(app), Order::Ascending, None, 9).await,
        (vec![ids[0], ids[2]], true)
    );
}

async fn a_revoked_key_is_revoked_once(bench: &Bench) {
    let key = key(bench, 1, None);
    bench
        .store
        .create_key(key.clone())
        .await
        .expect("it is stored");
    let first = bench.now();
    assert_eq!(bench.store.revoke_key(key.id, first).await, Ok(()));
    let later = first + Duration::from_secs(60);
    assert_eq!(bench.store.revoke_key(key.id, later).await, Ok(()));
    let revoked = bench
        .store
        .key_by_hash([1; 32])
        .await
        .expect("it is still listed");
    assert_eq!(revoked.revoked_at, Some(first));
    assert!(!revoked.works_at(later));
    let unknown = KeyId::from(key.id.raw() + 1);
    assert_eq!(
        bench.store.revoke_key(unknown, first).await,
        Err(StoreError::NotFound)
    );
}

async fn a_key_remembers_its_last_use(bench: &Bench) {
    let key = key(bench, 1, None);
    bench
        .store
        .create_key(key.clone())
        .await
        .expect("it is stored");
    let now = bench.now();
    let earlier = now - Duration::from_secs(60);
    let unknown = KeyId::from(key.id.raw() + 1);
    let used = vec![(key.id, now), (key.id, earlier), (unknown, now)];
    bench.store.keys_used(used).await.expect("it is noted");
    let found = bench.store.key_by_hash([1; 32]).await.expect("it is there");
    assert_eq!(found.last_used_at, Some(now));
}

fn portal(bench: &Bench, hash: u8, app: AppId, session: Option<&str>) -> ApiKey {
    let access = PortalAccess {
        capabilities: [Capability::ViewBase, Capability::CreateAttempts]
            .into_iter()
            .collect(),
        flags: ["beta".to_owned()].into(),
        session: session.map(str::to_owned),
    };
    ApiKey {
        role: Role::Portal,
        portal: Some(access),
        ..key(bench, hash, Some(app))
    }
}

async fn a_portal_remembers_what_it_is_limited_to(bench: &Bench) {
    let app = bench.app().await;
    let key = portal(bench, 1, app, Some("s-1"));
    let stored = bench.store.create_key(key.clone()).await;
    assert_eq!(stored, Ok(()));
    assert_eq!(bench.store.key_by_hash([1; 32]).await, Ok(key));
}

async fn the_portals_of_an_application_end_together(bench: &Bench) {
    let (app, other) = (bench.app().await, bench.app().await);
    let mut one = portal(bench, 1, app, Some("s-1"));
    one.expires_at = None;
    let two = portal(bench, 2, app, Some("s-2"));
    let three = portal(bench, 3, app, None);
    let program = key(bench, 4, Some(app));
    let theirs = portal(bench, 5, other, Some("s-1"));
    for key in [&one, &two, &three, &program, &theirs] {
        let stored = bench.store.create_key(key.clone()).await;
        assert_eq!(stored, Ok(()));
    }
    let (soon, later) = (
        bench.now() + Duration::from_secs(60),
        bench.now() + Duration::from_secs(120),
    );
    let end = async |sessions: &[&str], at, after| {
        let sessions = sessions.iter().map(|name| (*name).to_owned()).collect();
        bench.store.end_portals(app, sessions, at, after).await
    };
    assert_eq!(end(&["s-1", "none"], soon, None).await, Ok(vec![one.id]));
    assert_eq!(end(&["none"], soon, None).await, Ok(vec![]));
    // What ends before stays as it is.
    assert_eq!(end(&[], later, Some(two.id)).await, Ok(vec![three.id]));
    assert_eq!(end(&[], later, None).await, Ok(vec![two.id]));
    for (hash, ends) in [(1, soon), (2, later), (3, later)] {
        let key = bench.store.key_by_hash([hash; 32]).await;
        assert_eq!(key.expect("it is there").expires_at, Some(ends));
    }
    for key in [program, theirs] {
        assert_eq!(bench.store.key_by_hash(key.hash).await, Ok(key));
    }
}
