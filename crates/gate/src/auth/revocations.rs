//! Revoking keys: they are refused from that moment on, also while it cannot be written.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_model::{KeyId, Timestamp};
use ringbolt_store::StoreError;
use tokio::sync::Notify;

use super::{Authenticator, REMEMBERED};
use crate::{Kind, Problem};

/// How many revocations may wait to be written.
const MOST: usize = REMEMBERED;
/// How long somebody is asked to wait whose revocation could not be written.
const WAIT: Duration = Duration::from_secs(5);

/// Revocations that are not on disk yet: what the store says of these keys is not believed.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    unwritten: Mutex<HashMap<KeyId, Timestamp>>,
    failed: Notify,
}

impl Revocations {
    /// Whether this key was revoked, and the store may not know.
    pub(super) fn concern(&self, key: KeyId) -> bool {
        self.unwritten.lock().contains_key(&key)
    }

    /// Notes one; says since when the key is refused, unless too many wait.
    fn begin(&self, key: KeyId, now: Timestamp) -> Option<Timestamp> {
        let mut unwritten = self.unwritten.lock();
        let room = unwritten.len() < MOST || unwritten.contains_key(&key);
        room.then(|| *unwritten.entry(key).or_insert(now))
    }

    fn end(&self, key: KeyId) {
        self.unwritten.lock().remove(&key);
    }

    fn all(&self) -> Vec<(KeyId, Timestamp)> {
        let unwritten = self.unwritten.lock();
        unwritten.iter().map(|(key, at)| (*key, *at)).collect()
    }
}

impl Authenticator {
    /// Revokes a key: from now on it does not work. What its last use was is noted.
    ///
    /// # Errors
    /// 404 if there is no such key; 503 if the store cannot be written: the key is refused all the same,
    /// and it is written later ([`Self::write_revocations`]), but a restart before that lets it work
    /// again.
    pub async fn revoke(&self, key: KeyId) -> Result<(), Problem> {
        let Some(at) = self.revocations.begin(key, (self.now)()) else {
            return Err(StoreError::Unavailable("too many revocations wait".into()).into());
        };
        self.forget(key);
        match self.write(key, at).await {
            Ok(()) => {}
            Err(StoreError::Full | StoreError::Unavailable(_)) => {
                self.revocations.failed.notify_one();
                let detail = "the token is refused from now on, but that could not be written yet: \
                              if the server is restarted before it is, the token works again";
                return Err(Problem::unavailable(detail).after(WAIT));
            }
            Err(error) => return Err(Kind::Key.or(error, &key.to_string())),
        }
        if let Err(error) = self.note_forgotten().await {
            tracing::warn!(%error, "when a revoked key was last used is noted later");
        }
        Ok(())
    }

    /// Writes the revocations that could not be written before.
    ///
    /// # Errors
    /// If the store still cannot be written.
    pub async fn write_revocations(&self) -> Result<(), StoreError> {
        for (key, at) in self.revocations.all() {
            self.write(key, at).await?;
            tracing::info!(%key, "the revocation of a key is written");
        }
        self.note_forgotten().await
    }

    /// Returns when a revocation could not be written.
    pub async fn revocation_failed(&self) {
        self.revocations.failed.notified().await;
    }

    /// Writes one. It waits on only if the store cannot be written.
    async fn write(&self, key: KeyId, at: Timestamp) -> Result<(), StoreError> {
        let written = self.store.revoke_key(key, at).await;
        if !matches!(written, Err(StoreError::Full | StoreError::Unavailable(_))) {
            // Whoever read the key before this must not remember it.
            self.forget(key);
            self.revocations.end(key);
        }
        written
    }

    /// Forgets a key: it was revoked, or ends earlier. Whoever is reading it does not remember it.
    pub fn forget(&self, key: KeyId) {
        self.forgotten.fetch_add(1, Relaxed);
        let known = self.known.values();
        let uses = known.iter().filter(|known| known.id == key);
        self.to_note(uses.filter_map(|known| known.take_use()));
        self.known.retain(|known| known.id != key);
    }

    /// Forgets all keys: any may have been revoked, or made.
    pub fn forget_all(&self) {
        self.forgotten.fetch_add(1, Relaxed);
        let known = self.known.values();
        self.to_note(known.iter().filter_map(|known| known.take_use()));
        self.known.retain(|_| false);
        self.unknown.retain(|_| false);
    }
}
