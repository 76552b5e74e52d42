//! Which endpoints of an application want a message: its endpoints, held in memory.
//!
//! In one process the cache is the truth: whoever changes an application or endpoint says so after the
//! commit and before the answer, so a message that is sent after a change was answered obeys it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use ringbolt_engine::Target;
use ringbolt_model::{AppId, Application, Channel, Endpoint, EventTypeName, Subscription, Uid};
use ringbolt_store::{AppRef, Store, StoreError};

use crate::shared::target;

/// How many applications are held at most.
const MAX_APPLICATIONS: usize = 20_000;
/// How many endpoints are held at most, of all applications together.
const MAX_ENDPOINTS: usize = 200_000;
/// How often a load that was overtaken by a change is repeated before it is used uncached.
const LOADS: usize = 3;

/// An application with its endpoints, as routing needs them.
pub(crate) struct Routes {
    /// The application.
    pub(crate) app: Arc<Application>,
    endpoints: Vec<Route>,
}

struct Route {
    target: Target,
    subscription: Subscription,
}

impl Routes {
    fn new(app: Application, endpoints: Vec<Endpoint>) -> Self {
        let route = |endpoint: Endpoint| Route {
            target: target(&endpoint),
            subscription: endpoint.subscription,
        };
        Self {
            app: Arc::new(app),
            endpoints: endpoints.into_iter().map(route).collect(),
        }
    }

    /// The endpoints that want a message, in order of their ids.
    pub(crate) fn matching(&self, event_type: &EventTypeName, channels: &[Channel]) -> Vec<Target> {
        let wanted = self
            .endpoints
            .iter()
            .filter(|r| r.subscription.wants(event_type, channels));
        wanted.map(|route| route.target.clone()).collect()
    }
}

#[derive(Default)]
struct Cache {
    by_app: HashMap<AppId, Arc<Routes>>,
    by_uid: HashMap<Uid, AppId>,
    endpoints: usize,
    /// Counts changes, so that a load that was overtaken by one is not kept.
    changes: u64,
}

impl Cache {
    /// Lets go of an application, whether or not it changed.
    fn drop_entry(&mut self, app: AppId) {
        if let Some(routes) = self.by_app.remove(&app) {
            self.endpoints -= routes.endpoints.len();
            if let Some(uid) = &routes.app.uid {
                self.by_uid.remove(uid);
            }
        }
    }

    fn keep(&mut self, routes: &Arc<Routes>) {
        let id = routes.app.id;
        while self.by_app.len() >= MAX_APPLICATIONS || self.endpoints >= MAX_ENDPOINTS {
            let Some(other) = self.by_app.keys().next().copied() else {
                break;
            };
            self.drop_entry(other);
        }
        self.drop_entry(id);
        self.endpoints += routes.endpoints.len();
        if let Some(uid) = &routes.app.uid {
            self.by_uid.insert(uid.clone(), id);
        }
        self.by_app.insert(id, routes.clone());
    }

    fn find(&self, app: &AppRef) -> Option<Arc<Routes>> {
        let id = match app {
            AppRef::Id(id) => id,
            AppRef::Uid(uid) => self.by_uid.get(uid)?,
        };
        self.by_app.get(id).cloned()
    }
}

/// The routes of the applications in use.
pub(crate) struct Routing {
    store: Arc<dyn Store>,
    cache: RwLock<Cache>,
}

impl Routing {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            cache: RwLock::default(),
        }
    }

    /// The routes of an application, if they are in memory.
    pub(crate) fn cached(&self, app: &AppRef) -> Option<Arc<Routes>> {
        self.cache.read().find(app)
    }

    /// The routes of an application, loaded if need be; and whether they were.
    pub(crate) async fn routes(&self, app: &AppRef) -> Result<(Arc<Routes>, bool), StoreError> {
        if let Some(routes) = self.cached(app) {
            return Ok((routes, false));
        }
        let mut loads = 0;
        loop {
            loads += 1;
            let before = self.cache.read().changes;
            let application = self.store.application(app.clone()).await?;
            let endpoints = self.store.all_endpoints(application.id).await?;
            let routes = Arc::new(Routes::new(application, endpoints));
            let mut cache = self.cache.write();
            if cache.changes == before {
                cache.keep(&routes);
                return Ok((routes, true));
            }
            if loads >= LOADS {
                return Ok((routes, true));
            }
        }
    }

    /// Something of this application changed: it is read again when it is next needed.
    pub(crate) fn forget(&self, app: AppId) {
        let mut cache = self.cache.write();
        cache.changes += 1;
        cache.drop_entry(app);
    }
}
