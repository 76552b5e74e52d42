//! What the machine is told when it starts, and its start.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::{Clock, IdMaker, SignatureHeaders};
use ringbolt_net::{Client, ClientSettings, SettingsError, Target, TargetPolicy};
use ringbolt_store::{Store, StoreError};

use crate::destinations::Destinations;
use crate::driver::{self, Driver, Inherited};
use crate::handle::{Handle, UrlRefused};
use crate::http::HttpTransport;
use crate::mind::Mind;
use crate::routing::Routing;
use crate::shared::{GuardedUrl, Parts, Shared};
use crate::transport::Transport;

/// What the machine is told.
#[derive(Debug, Clone)]
pub struct DriverSettings {
    /// The engine's own.
    pub engine: ringbolt_engine::Settings,
    /// Decides the jitter of retries.
    pub seed: u64,
    /// Bytes that the endpoints of applications in use may take in memory, for routing.
    pub routes_bytes: usize,
    /// How requests are made.
    pub http: HttpSettings,
}

/// How requests are made.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The client's own: guard, resolver, roots, proxy, limits.
    pub client: ClientSettings,
    /// The longest that an attempt may take.
    pub timeout: Duration,
    /// Which URLs can be endpoints'.
    pub policy: TargetPolicy,
    /// Which signature headers endpoints get that do not say.
    pub signature_headers: SignatureHeaders,
}

/// Why the machine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be read.
    #[error("the store could not be read: {0}")]
    Store(#[from] StoreError),
    /// A setting of the client is wrong.
    #[error(transparent)]
    Client(#[from] SettingsError),
}

/// Starts the machine on a store; whoever else uses it says so by its own [`ringbolt_store::Cluster`].
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub async fn start(
    settings: DriverSettings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<(Handle, Driver), StartError> {
    let http = &settings.http;
    let client = Client::new(http.client.clone())?;
    let destinations =
        Destinations::new(store.clone(), http.policy.clone(), http.signature_headers);
    let transport = HttpTransport::new(client, destinations, clock.clone(), http.timeout);
    start_with(settings, store, clock, Arc::new(transport)).await
}

/// The same, with another way out.
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub async fn start_with(
    settings: DriverSettings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
) -> Result<(Handle, Driver), StartError> {
    let inherited = match driver::reopen(&*store, &*clock).await {
        Ok(()) => Inherited::Stored,
        // What can be read is served meanwhile.
        Err(StoreError::Full) => Inherited::Unwritten,
        Err(error) => return Err(error.into()),
    };
    let last = store.largest_id().await?;
    let shared = Arc::new(Shared::new(Parts {
        ids: IdMaker::new(store.slot(), last),
        routing: Routing::new(store.clone(), settings.routes_bytes),
        guard: guard(&settings.http),
        mind: Mind::new(settings.engine, settings.seed),
        store,
        clock,
        transport,
    }));
    Ok((Handle(shared.clone()), Driver::run(shared, inherited)))
}

/// Parses a URL and judges a literal address in it, as the connection will.
fn guard(settings: &HttpSettings) -> GuardedUrl {
    let (policy, guard) = (settings.policy.clone(), settings.client.guard.clone());
    Box::new(move |url| {
        let target = Target::parse(url, &policy).map_err(UrlRefused::Unfit)?;
        target.precheck(&guard).map_err(UrlRefused::Guarded)?;
        Ok(target.as_str().to_owned())
    })
}
