//! What sending to an endpoint takes, prepared once: the checked target, the headers, the signer.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ringbolt_model::{EndpointId, SignatureHeaders, Timestamp};
use ringbolt_net::{HeaderBlock, Target, TargetPolicy};
use ringbolt_signatures::{Secret, Signer};
use ringbolt_store::{Destination, Store, StoreError};

/// How many endpoints are held prepared.
const MOST: usize = 20_000;
/// How many bytes those take together.
const MOST_BYTES: usize = 64 << 20;
/// What one takes besides its texts and keys.
const BYTES_OF_ONE: usize = 1024;
/// What a secret made ready to sign takes.
const BYTES_OF_A_SECRET: usize = 256;
/// What a header takes besides its name and value.
const BYTES_BESIDE_A_HEADER: usize = ": \r\n".len();

/// What sending to an endpoint takes.
pub(crate) struct Prepared {
    /// The URL as it is stored.
    pub(crate) url: Arc<str>,
    /// The same, checked; or why it cannot be sent to.
    pub(crate) target: Result<Arc<Target>, String>,
    /// The endpoint's own headers.
    pub(crate) headers: HeaderBlock,
    /// Signs with every secret that is valid now.
    pub(crate) signer: Signer,
    /// When one of the secrets ends, and this must be made again.
    pub(crate) until: Timestamp,
    /// Which families of signature headers it gets.
    pub(crate) families: SignatureHeaders,
    /// About how much memory all of this takes.
    bytes: usize,
}

impl Prepared {
    fn new(
        destination: &Destination,
        policy: &TargetPolicy,
        families: SignatureHeaders,
        now: Timestamp,
    ) -> Self {
        let (endpoint, secrets) = (&destination.endpoint, &destination.secrets);
        let valid: Vec<Secret> = secrets.valid_at(now).cloned().collect();
        let ends = secrets
            .old
            .iter()
            .map(|(_, end)| *end)
            .filter(|end| *end > now)
            .min();
        let given = &destination.headers;
        let lines = given.bytes() + given.0.len() * BYTES_BESIDE_A_HEADER;
        let mut headers = HeaderBlock::with_capacity(lines);
        for (name, value) in &given.0 {
            if let Err(error) = headers.push(name, value) {
                tracing::warn!(endpoint = %endpoint.id, name, %error, "header left out");
            }
        }
        Self {
            url: endpoint.url.as_str().into(),
            target: Target::parse(&endpoint.url, policy)
                .map(Arc::new)
                .map_err(|e| e.to_string()),
            headers,
            signer: Signer::new(&valid),
            until: ends.unwrap_or(Timestamp::FAR_FUTURE),
            families: endpoint.signature_headers.unwrap_or(families),
            // The URL is there as it is stored, as it was checked, and in its origin.
            bytes: BYTES_OF_ONE + lines + valid.len() * BYTES_OF_A_SECRET + endpoint.url.len() * 3,
        }
    }
}

/// The prepared endpoints in use.
pub(crate) struct Destinations {
    store: Arc<dyn Store>,
    policy: TargetPolicy,
    families: SignatureHeaders,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    prepared: HashMap<EndpointId, Arc<Prepared>>,
    /// What they take together.
    bytes: usize,
    /// Counts changes, so that a load that was overtaken by one is not kept.
    changes: u64,
}

impl Cache {
    /// Holds one more; whoever finds no room for it lets go of all others.
    fn keep(&mut self, endpoint: EndpointId, prepared: Arc<Prepared>) {
        self.remove(endpoint);
        if self.prepared.len() >= MOST || self.bytes + prepared.bytes > MOST_BYTES {
            self.clear();
        }
        self.bytes += prepared.bytes;
        self.prepared.insert(endpoint, prepared);
    }

    fn clear(&mut self) {
        self.prepared.clear();
        self.bytes = 0;
    }

    fn remove(&mut self, endpoint: EndpointId) {
        if let Some(prepared) = self.prepared.remove(&endpoint) {
            self.bytes -= prepared.bytes;
        }
    }
}

impl Destinations {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        policy: TargetPolicy,
        families: SignatureHeaders,
    ) -> Self {
        Self {
            store,
            policy,
            families,
            cache: Mutex::default(),
        }
    }

    /// What sending to an endpoint takes at `now`.
    pub(crate) async fn get(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> Result<Arc<Prepared>, StoreError> {
        let before = {
            let cache = self.cache.lock();
            match cache.prepared.get(&endpoint) {
                Some(prepared) if prepared.until > now => return Ok(prepared.clone()),
                _ => cache.changes,
            }
        };
        let destination = self.store.destination(endpoint).await?;
        let prepared = Arc::new(Prepared::new(
            &destination,
            &self.policy,
            self.families,
            now,
        ));
        let mut cache = self.cache.lock();
        if cache.changes == before {
            cache.keep(endpoint, prepared.clone());
        }
        Ok(prepared)
    }

    /// The endpoint changed or is gone.
    pub(crate) fn forget(&self, endpoint: EndpointId) {
        let mut cache = self.cache.lock();
        cache.changes += 1;
        cache.remove(endpoint);
    }

    /// Anything may have changed.
    pub(crate) fn forget_all(&self) {
        let mut cache = self.cache.lock();
        cache.changes += 1;
        cache.clear();
    }
}

#[cfg(test)]
mod tests {
    use ringbolt_model::{CustomHeaders, Endpoint, EndpointSecrets};

    use super::*;

    fn prepared(headers: usize) -> Arc<Prepared> {
        let header = |n| (format!("x-{n}"), "v".repeat(4096));
        let destination = Destination {
            endpoint: Endpoint::new(1.into(), 1.into(), "https://example.com/"),
            secrets: EndpointSecrets {
                current: Secret::symmetric_from([7; 24]),
                old: Vec::new(),
            },
            headers: CustomHeaders((0..headers).map(header).collect()),
        };
        let (policy, families) = (TargetPolicy::default(), SignatureHeaders::Standard);
        Arc::new(Prepared::new(
            &destination,
            &policy,
            families,
            Timestamp::default(),
        ))
    }

    #[test]
    fn what_is_held_is_bounded_by_what_it_takes() {
        let mut cache = Cache::default();
        let large = prepared(50);
        assert_eq!(large.headers.iter().count(), 50, "as many as ever are sent");
        assert!(large.bytes > 50 * 4096);
        for id in 0..1000 {
            cache.keep(id.into(), large.clone());
            assert_eq!(cache.bytes, cache.prepared.len() * large.bytes);
            assert!(cache.bytes <= MOST_BYTES);
        }
        assert!(cache.prepared.contains_key(&999.into()));
    }

    #[test]
    fn what_is_replaced_or_forgotten_takes_nothing() {
        let mut cache = Cache::default();
        let (small, large) = (prepared(0), prepared(9));
        cache.keep(1.into(), large);
        cache.keep(1.into(), small.clone());
        assert_eq!(cache.bytes, small.bytes);
        cache.remove(1.into());
        assert_eq!((cache.bytes, cache.prepared.len()), (0, 0));
    }
}
