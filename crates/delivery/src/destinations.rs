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
        let mut headers = HeaderBlock::new();
        for (name, value) in &destination.headers.0 {
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
    /// Counts changes, so that a load that was overtaken by one is not kept.
    changes: u64,
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
            if cache.prepared.len() >= MOST {
                cache.prepared.clear();
            }
            cache.prepared.insert(endpoint, prepared.clone());
        }
        Ok(prepared)
    }

    /// The endpoint changed or is gone.
    pub(crate) fn forget(&self, endpoint: EndpointId) {
        let mut cache = self.cache.lock();
        cache.changes += 1;
        cache.prepared.remove(&endpoint);
    }
}
