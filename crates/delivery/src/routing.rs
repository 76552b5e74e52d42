//! Which endpoints of an application want a message: its endpoints, held in memory.
//!
//! In one process the cache is the truth: whoever changes an application or endpoint says so after the
//! commit and before the answer, so a message that is sent after a change was answered obeys it. What
//! changed is read again when it is next needed, that and no more, by one reader for all who wait.

mod cache;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::RwLock;
use ringbolt_engine::Target;
use ringbolt_model::{
    AppId, Application, Channel, Endpoint, EndpointId, EventTypeName, Subscription,
};
use ringbolt_store::{AppRef, Store, StoreError};

use crate::shared::target;
use cache::{Cache, Stale};

/// So many endpoints are prepared before others get a turn.
const AT_ONCE: usize = 512;

/// An application with its endpoints, as routing needs them.
#[derive(Clone)]
pub(crate) struct Routes {
    /// The application.
    pub(crate) app: Arc<Application>,
    /// In order of their ids.
    endpoints: Vec<Arc<Route>>,
}

struct Route {
    target: Target,
    subscription: Subscription,
}

impl Route {
    fn new(endpoint: Endpoint) -> Arc<Self> {
        Arc::new(Self {
            target: target(&endpoint),
            subscription: endpoint.subscription,
        })
    }
}

impl Routes {
    /// The endpoints that want a message, in order of their ids.
    pub(crate) fn matching(&self, event_type: &EventTypeName, channels: &[Channel]) -> Vec<Target> {
        let wanted = self
            .endpoints
            .iter()
            .filter(|r| r.subscription.wants(event_type, channels));
        wanted.map(|route| route.target.clone()).collect()
    }

    /// An endpoint is as given; gone if there is none.
    fn put(&mut self, id: EndpointId, endpoint: Option<Endpoint>) {
        let place = self
            .endpoints
            .binary_search_by_key(&id, |route| route.target.endpoint);
        match (place, endpoint) {
            (Ok(place), Some(endpoint)) => self.endpoints[place] = Route::new(endpoint),
            (Err(place), Some(endpoint)) => self.endpoints.insert(place, Route::new(endpoint)),
            (Ok(place), None) => drop(self.endpoints.remove(place)),
            (Err(_), None) => {}
        }
    }
}

/// The routes of the applications in use.
pub(crate) struct Routing {
    store: Arc<dyn Store>,
    cache: RwLock<Cache>,
}

/// What had to be read before there were routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Nothing.
    None,
    /// What had changed.
    Changes,
    /// The application and all of its endpoints.
    All,
}

/// What was read to bring routes up to date.
enum Read {
    All(Application, Vec<Arc<Route>>),
    Changes(Option<Application>, Vec<(EndpointId, Option<Endpoint>)>),
}

impl Routing {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            cache: RwLock::default(),
        }
    }

    /// An application, if it is in memory, whether or not its endpoints are up to date.
    pub(crate) fn application(&self, app: &AppRef) -> Option<Arc<Application>> {
        self.cache.read().application(app)
    }

    /// The routes of an application, read if need be.
    pub(crate) async fn routes(&self, app: &AppRef) -> Result<(Arc<Routes>, Effort), StoreError> {
        if let Some(routes) = self.cache.read().fresh(app) {
            return Ok((routes, Effort::None));
        }
        let app = match app {
            AppRef::Id(id) => *id,
            AppRef::Uid(_) => self.store.application(app.clone()).await?.id,
        };
        let reader = self.cache.write().reader(app);
        let _turn = reader.lock().await;
        if let Some(routes) = self.cache.read().fresh(&AppRef::Id(app)) {
            return Ok((routes, Effort::None));
        }
        let (stale, reading) = self.begin(app);
        let read = self.read(app, &stale).await?;
        Ok(reading.end(read))
    }

    fn begin(&self, app: AppId) -> (Stale, Reading<'_>) {
        let stale = self.cache.write().begin(app);
        let cache = &self.cache;
        (stale, Reading { cache, app })
    }

    async fn read(&self, id: AppId, stale: &Stale) -> Result<Read, StoreError> {
        if stale.all {
            let application = self.store.application(AppRef::Id(id)).await?;
            let endpoints = self.store.all_endpoints(id).await?;
            return Ok(Read::All(application, prepared(endpoints).await));
        }
        let application = match stale.application {
            true => Some(self.store.application(AppRef::Id(id)).await?),
            false => None,
        };
        let mut endpoints = Vec::with_capacity(stale.endpoints.len());
        for endpoint in &stale.endpoints {
            match self.store.destination(*endpoint).await {
                Ok(found) => endpoints.push((*endpoint, Some(found.endpoint))),
                Err(StoreError::NotFound) => endpoints.push((*endpoint, None)),
                Err(error) => return Err(error),
            }
        }
        Ok(Read::Changes(application, endpoints))
    }

    /// An application was created or changed.
    pub(crate) fn application_changed(&self, app: AppId) {
        self.cache.write().application_changed(app);
    }

    /// An application was deleted.
    pub(crate) fn application_deleted(&self, app: AppId) {
        self.cache.write().application_deleted(app);
    }

    /// An endpoint was created, changed or deleted.
    pub(crate) fn endpoint_changed(&self, app: AppId, endpoint: EndpointId) {
        self.cache.write().endpoint_changed(app, endpoint);
    }
}

/// That somebody reads. One who goes away before the end leaves everything as it was.
struct Reading<'a> {
    cache: &'a RwLock<Cache>,
    app: AppId,
}

impl Reading<'_> {
    /// What was read is in force from now on.
    fn end(self, read: Read) -> (Arc<Routes>, Effort) {
        let effort = match read {
            Read::All(..) => Effort::All,
            Read::Changes(..) => Effort::Changes,
        };
        let routes = self
            .cache
            .write()
            .keep(self.app, |before| read.over(before));
        (routes, effort)
    }
}

impl Read {
    /// The routes of now, from those of before.
    fn over(self, before: Option<Arc<Routes>>) -> Arc<Routes> {
        let (application, endpoints) = match self {
            Self::All(application, endpoints) => {
                let app = Arc::new(application);
                return Arc::new(Routes { app, endpoints });
            }
            Self::Changes(application, endpoints) => (application, endpoints),
        };
        let mut routes = before.expect("everything is read of what is not held");
        // In place, unless somebody is routing a message right now.
        let own = Arc::make_mut(&mut routes);
        for (id, endpoint) in endpoints {
            own.put(id, endpoint);
        }
        if let Some(application) = application {
            own.app = Arc::new(application);
        }
        routes
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.cache.write().give_up(self.app);
    }
}

async fn prepared(endpoints: Vec<Endpoint>) -> Vec<Arc<Route>> {
    let mut routes = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        routes.push(Route::new(endpoint));
        if routes.len().is_multiple_of(AT_ONCE) {
            tokio::task::yield_now().await;
        }
    }
    routes
}
