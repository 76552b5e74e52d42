//! What API keys mean.

use std::time::Duration;

use ringbolt_model::{ApiKey, AppId, KeyId, Role};

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
