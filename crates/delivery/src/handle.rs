//! The handle by which rooms reach the machine.

use std::sync::Arc;

use ringbolt_engine::{Input, LaneView, Snapshot};
use ringbolt_model::{AppId, Application, Endpoint, EndpointId, Timestamp};
use ringbolt_net::{Refusal, TargetError};
use ringbolt_store::{AppRef, Health, Store, StoreError};

use crate::news::KeyNews;
use crate::routing::{Effort, Routes};
use crate::shared::Shared;
use crate::workers::WorkerView;

/// Reaches the machine; cheap to clone.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

/// Why a URL cannot be an endpoint's, in the words for operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    /// It is none that anything could be sent to.
    #[error("{0}{hint}", hint = hint(.0))]
    Unfit(TargetError),
    /// It leads where endpoints may not be.
    #[error("{0}; {way_out}", way_out = way_out(.0))]
    Guarded(Refusal),
}

/// Local names are let through where networks are.
const fn hint(error: &TargetError) -> &'static str {
    match error {
        TargetError::LocalName => "; the operator can allow networks (delivery.allow_networks)",
        _ => "",
    }
}

const fn way_out(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Address(_) => "the operator can allow networks (delivery.allow_networks)",
        Refusal::Port(_) => "the operator can allow ports (delivery.allow_ports)",
    }
}

impl UrlRefused {
    /// The same for who does not operate the server: which address a host stands for, and which range or
    /// setting forbids it, would tell about the network behind the server.
    #[must_use]
    pub fn public_words(&self) -> String {
        match self {
            Self::Unfit(error) => error.to_string(),
            Self::Guarded(Refusal::Address(_)) => {
                "refused: an endpoint cannot be at a private or reserved address".to_owned()
            }
            Self::Guarded(Refusal::Port(_)) => {
                "refused: an endpoint cannot be at this port".to_owned()
            }
        }
    }
}

/// How the machine is.
#[derive(Debug, Clone)]
pub struct Status {
    /// How the store is.
    pub store: Health,
    /// What the lanes hold and do.
    pub lanes: Snapshot,
    /// The background workers.
    pub workers: Vec<WorkerView>,
    /// Pending deliveries that have rows in the store, as last counted. Those that were never tried
    /// and are in memory come on top.
    pub pending_rows: u64,
    /// Outcomes that wait to be written.
    pub unwritten: usize,
    /// Whether nothing is sent, as was configured.
    pub paused: bool,
    /// Whether it is stopping.
    pub stopping: bool,
    /// Whether this node's lease holds: while it does not, nothing is sent or accepted.
    pub lease_held: bool,
}

impl Handle {
    /// An application, from memory if it is in use.
    ///
    /// # Errors
    /// `NotFound`, or the store's own.
    pub async fn application(&self, app: &AppRef) -> Result<Arc<Application>, StoreError> {
        match self.application_in_memory(app) {
            Some(app) => Ok(app),
            // Its endpoints are read when a message has to be routed, not sooner: making many
            // endpoints one after the other would read them all each time.
            None => Ok(Arc::new(self.0.store.application(app.clone()).await?)),
        }
    }

    /// An application, if it is in memory.
    #[must_use]
    pub fn application_in_memory(&self, app: &AppRef) -> Option<Arc<Application>> {
        self.0.routing.application(app)
    }

    /// The routes of an application. When something was read, its lanes learn its rate.
    pub(crate) async fn routes(&self, app: &AppRef) -> Result<Arc<Routes>, StoreError> {
        let (routes, effort) = self.0.routing.routes(app).await?;
        if effort == Effort::All {
            self.0.metrics.application_read();
        }
        if effort != Effort::None {
            // What was read may be older than what somebody else has told the engine.
            self.0.know_rate(routes.app.id).await?;
        }
        Ok(routes)
    }

    /// An application was created or changed. To be called between commit and answer.
    pub fn application_changed(&self, app: AppId) {
        self.0
            .changes
            .note(app.raw(), || self.0.routing.application_changed(app));
        let shared = self.0.clone();
        self.0
            .tracker
            .spawn(async move { shared.rate_again(app).await });
    }

    /// An application was deleted with these endpoints. To be called between commit and answer.
    pub fn application_deleted(&self, app: AppId, endpoints: &[EndpointId]) {
        self.0.changes.note(app.raw(), || {
            self.0.routing.application_deleted(app);
            self.0.rated.lock().remove(&app);
        });
        for endpoint in endpoints {
            self.endpoint_deleted(app, *endpoint);
        }
    }

    /// An endpoint was created or changed. To be called between commit and answer.
    pub fn endpoint_changed(&self, endpoint: &Endpoint) {
        let id = endpoint.id;
        self.0.changes.note(id.raw(), || {
            self.0.transport.forget(id);
            self.0.configure(endpoint);
        });
        // Two changes may arrive here in another order than they were committed in: what the store
        // says in the end holds.
        let shared = self.0.clone();
        self.0
            .tracker
            .spawn(async move { shared.reconfigure(id).await });
    }

    /// An endpoint was deleted. To be called between commit and answer.
    pub fn endpoint_deleted(&self, app: AppId, endpoint: EndpointId) {
        self.0.changes.note(endpoint.raw(), || {
            self.0.routing.endpoint_changed(app, endpoint);
            self.0.transport.forget(endpoint);
            self.0.tell(Input::Remove { endpoint });
        });
    }

    /// How many attempts at deliveries to an endpoint are in flight.
    #[must_use]
    pub fn in_flight_to(&self, endpoint: EndpointId) -> u32 {
        self.lane(endpoint)
            .map_or(0, |lane| u32::try_from(lane.in_flight).unwrap_or(u32::MAX))
    }

    /// The lane of an endpoint, if it is not idle.
    #[must_use]
    pub fn lane(&self, endpoint: EndpointId) -> Option<LaneView> {
        self.0.look(|engine| engine.lane_view(endpoint))
    }

    /// A new id; those of every kind come from here.
    #[must_use]
    pub fn new_id<I: From<u64>>(&self) -> I {
        self.0.new_id()
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Checks a URL that is to be an endpoint's, and gives it as it is to be stored. A name is judged
    /// by its addresses only when it is connected to, each time.
    ///
    /// # Errors
    /// Why it cannot be one.
    pub fn check_url(&self, url: &str) -> Result<String, UrlRefused> {
        (self.0.guard)(url)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// How the machine is.
    #[must_use]
    pub fn status(&self) -> Status {
        use std::sync::atomic::Ordering::Relaxed;
        Status {
            store: self.0.store.health(),
            lanes: self.0.look(ringbolt_engine::Engine::snapshot),
            workers: self.0.workers.view(self.0.store.workers()),
            pending_rows: self.0.pending.load(Relaxed),
            unwritten: self.0.unwritten.load(Relaxed),
            paused: self.0.look(ringbolt_engine::Engine::is_paused),
            stopping: self.0.stopping(),
            lease_held: self.0.store.may_send(),
        }
    }

    /// Who is told when another node has changed API keys: it forgets what it knows of one, or of all.
    /// Set once.
    pub fn hear_of_keys(&self, ear: impl Fn(KeyNews) + Send + Sync + 'static) {
        let first = self.0.key_ear.set(Box::new(ear)).is_ok();
        debug_assert!(first, "news of keys are told to one");
    }

    /// Notes what a background worker is doing that others than the machine run, for operators.
    pub fn note_worker(&self, name: &'static str, state: &str) {
        self.0.workers.note(name, state);
    }

    /// The same of one that tells when it is asked.
    pub fn ask_worker(
        &self,
        name: &'static str,
        state: impl Fn() -> String + Send + Sync + 'static,
    ) {
        self.0.workers.ask(name, Box::new(state));
    }

    /// Figures of the machine and its store, as Prometheus reads them.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        self.0.metrics.text(&self.status(), &self.0.store.sizes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_name_is_refused_with_the_way_out_for_the_operator_alone() {
        let local = UrlRefused::Unfit(TargetError::LocalName);
        assert!(local.to_string().contains("delivery.allow_networks"));
        assert!(!local.public_words().contains("delivery."));
        let other = UrlRefused::Unfit(TargetError::Fragment);
        assert!(!other.to_string().contains("delivery."));
    }
}
