//! Whose token it is.

mod revocations;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use parking_lot::Mutex;
use ringbolt_model::{ApiKey, AppId, KeyId, Role, Timestamp};
use ringbolt_store::{Store, StoreError};

use crate::answered::is_failure;
use crate::generations::Generations;
use crate::throttle::Throttle;
use crate::token::TokenHash;
use crate::{Caller, ClientAddress, Flags, Now, Problem};
use revocations::Revocations;

/// How many keys are remembered.
const REMEMBERED: usize = 10_000;
/// How long a key is believed before the store is asked again.
const BELIEVED: Duration = Duration::from_secs(60);
/// How long a token is remembered as unknown.
const UNKNOWN: Duration = Duration::from_secs(5);

/// Tells who asks. A token that was seen lately costs a hash and a look into memory.
pub struct Authenticator {
    admin: TokenHash,
    store: Arc<dyn Store>,
    now: Now,
    known: Generations<TokenHash, Arc<Known>>,
    unknown: Generations<TokenHash, Timestamp>,
    throttle: Throttle,
    /// Counts what was forgotten on purpose: what was read before that must not be remembered.
    forgotten: AtomicU64,
    /// Uses of keys that are not remembered any more, to be noted.
    unnoted: Mutex<HashMap<KeyId, Timestamp>>,
    revocations: Revocations,
}

/// A key that works.
struct Known {
    id: KeyId,
    caller: Caller,
    flags: Flags,
    expires_at: Option<Timestamp>,
    read_at: Timestamp,
    /// In microseconds; 0 if it was not used since it was last noted.
    used_at: AtomicI64,
}

impl Known {
    fn works_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end) && now < self.read_at + BELIEVED
    }

    fn take_use(&self) -> Option<(KeyId, Timestamp)> {
        let used = self.used_at.swap(0, Relaxed);
        (used != 0).then(|| (self.id, Timestamp::from_micros(used)))
    }
}

impl Authenticator {
    /// Of the admin token with this hash, and of the keys in the store.
    pub fn new(admin: TokenHash, store: Arc<dyn Store>, now: Now) -> Self {
        Self {
            admin,
            store,
            now,
            known: Generations::new(REMEMBERED),
            unknown: Generations::new(REMEMBERED),
            throttle: Throttle::new(),
            forgotten: AtomicU64::new(0),
            unnoted: Mutex::default(),
            revocations: Revocations::default(),
        }
    }

    /// Who sent this request.
    ///
    /// # Errors
    /// 401 if nobody that is known; 429 from an address that has sent many unknown tokens; 503 if the
    /// store cannot tell.
    pub async fn caller(
        &self,
        headers: &HeaderMap,
        from: Option<ClientAddress>,
    ) -> Result<Caller, Problem> {
        self.identify(headers, from).await.map(|(caller, _)| caller)
    }

    /// The same with the feature flags of a portal's customer.
    async fn identify(
        &self,
        headers: &HeaderMap,
        from: Option<ClientAddress>,
    ) -> Result<(Caller, Option<Flags>), Problem> {
        let token = bearer(headers).ok_or_else(Problem::unauthenticated)?;
        let hash = TokenHash::of(token);
        if hash == self.admin {
            return Ok((Caller::ADMIN, None));
        }
        let now = (self.now)();
        if let Some(known) = self.known.get(&hash).filter(|known| known.works_at(now)) {
            known.used_at.store(now.as_micros(), Relaxed);
            let portal = known.caller.role == Role::Portal;
            return Ok((known.caller, portal.then(|| known.flags.clone())));
        }
        if self
            .unknown
            .get(&hash)
            .is_some_and(|at| now.since(at) < UNKNOWN)
        {
            return Err(Problem::unauthenticated());
        }
        self.look_up(hash, from, now).await
    }

    async fn look_up(
        &self,
        hash: TokenHash,
        from: Option<ClientAddress>,
        now: Timestamp,
    ) -> Result<(Caller, Option<Flags>), Problem> {
        let forgotten = self.forgotten.load(Relaxed);
        match self.store.key_by_hash(hash.bytes()).await {
            Ok(key) if key.works_at(now) && sound(&key) && !self.revocations.concern(key.id) => {
                Ok(self.remember(hash, &key, now, forgotten))
            }
            Ok(_) | Err(StoreError::NotFound) => {
                self.unknown.put(hash, now);
                // Asked only now: a key that works is never refused for what others at its address do.
                if from.is_some_and(|from| self.throttle.closed(from.0, now)) {
                    let detail = "too many unknown tokens came from this address";
                    return Err(Problem::too_many(detail, Duration::from_secs(5)));
                }
                if let Some(from) = from {
                    self.throttle.missed(from.0, now);
                }
                Err(Problem::unauthenticated())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn remember(
        &self,
        hash: TokenHash,
        key: &ApiKey,
        now: Timestamp,
        forgotten: u64,
    ) -> (Caller, Option<Flags>) {
        let access = key.portal.clone().unwrap_or_default();
        let caller = Caller {
            role: key.role,
            app: key.app,
            key: Some(key.id),
            capabilities: access.capabilities,
        };
        let flags = Flags(Arc::new(access.flags));
        let known = Known {
            id: key.id,
            caller,
            flags: flags.clone(),
            expires_at: key.expires_at,
            read_at: now,
            used_at: AtomicI64::new(now.as_micros()),
        };
        if self.forgotten.load(Relaxed) == forgotten {
            let pushed_out = self.known.put(hash, Arc::new(known));
            self.to_note(pushed_out.iter().filter_map(|known| known.take_use()));
            // It may have been forgotten between the look and the keeping.
            if self.forgotten.load(Relaxed) != forgotten {
                self.known.remove(&hash);
            }
        }
        (caller, (key.role == Role::Portal).then_some(flags))
    }

    /// Forgets what it knows of an application's keys: their ends were changed.
    pub fn forget_keys_of(&self, app: AppId) {
        self.forgotten.fetch_add(1, Relaxed);
        let known = self.known.values();
        let its = known.iter().filter(|known| known.caller.app == Some(app));
        self.to_note(its.filter_map(|known| known.take_use()));
        self.known.retain(|known| known.caller.app != Some(app));
    }

    /// A key was created: its token may have been tried before.
    pub fn created(&self, hash: TokenHash) {
        self.unknown.remove(&hash);
    }

    /// Notes in the store when keys were last used. To be called every minute and at the end.
    ///
    /// # Errors
    /// If the store cannot be written; it is tried again the next time.
    pub async fn note_uses(&self) -> Result<(), StoreError> {
        let known = self.known.values();
        self.to_note(known.iter().filter_map(|known| known.take_use()));
        self.note_forgotten().await
    }

    /// Notes uses of keys that are not remembered any more.
    async fn note_forgotten(&self) -> Result<(), StoreError> {
        let used: Vec<_> = self.unnoted.lock().drain().collect();
        if used.is_empty() {
            return Ok(());
        }
        let noted = self.store.keys_used(used.clone()).await;
        if noted.is_err() {
            self.to_note(used);
        }
        noted
    }

    fn to_note(&self, uses: impl IntoIterator<Item = (KeyId, Timestamp)>) {
        let mut unnoted = self.unnoted.lock();
        for (key, at) in uses {
            if unnoted.len() < REMEMBERED || unnoted.contains_key(&key) {
                let noted = unnoted.entry(key).or_insert(at);
                *noted = at.max(*noted);
            }
        }
    }
}

/// A portal without an application would be one of all: no such key is made, and none is accepted.
fn sound(key: &ApiKey) -> bool {
    key.role != Role::Portal || key.app.is_some()
}

/// The token of a request: what follows `Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    // Of two, a proxy might have judged the other one.
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (given.next(), given.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Lets a request pass only with a token that is known; handlers then take a [`Caller`].
pub async fn require_token(
    State(auth): State<Arc<Authenticator>>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = request.extensions().get::<ClientAddress>().copied();
    match auth.identify(request.headers(), from).await {
        Ok((caller, flags)) => {
            request.extensions_mut().insert(caller);
            if let Some(flags) = flags {
                request.extensions_mut().insert(flags);
            }
            let mut answer = next.run(request).await;
            if is_failure(answer.status()) {
                answer.extensions_mut().insert(caller);
            }
            answer
        }
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn a_token_is_what_follows_bearer() {
        assert_eq!(bearer(&headers("Bearer abc")), Some("abc"));
        assert_eq!(bearer(&headers("bearer  abc ")), Some("abc"));
        for nothing in ["Bearer ", "Bearer", "Basic YTpi", "", "abc"] {
            assert_eq!(bearer(&headers(nothing)), None, "{nothing}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
