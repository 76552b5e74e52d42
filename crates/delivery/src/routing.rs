//! Which endpoints of an application want a message: its endpoints, held in memory.
//!
//! In one process the cache is the truth: whoever changes an application or endpoint says so after the
//! commit and before the answer, so a message that is sent after a change was answered obeys it. What
//! changed is read again when it is next needed, that and no more, by one reader for all who wait.
//!
//! Where several nodes share the store, what others change is heard of a little later. So routes have the
//! version that the store had before they were read; it refuses a message that was routed by an older one than
//! it has, and the message is routed again. Which changes made a version is not known, so one that has grown
//! means that everything is read.

mod cache;
#[cfg(test)]
mod tests;
mod wanted;

use std::sync::Arc;

use parking_lot::RwLock;
use ringbolt_engine::{LaneSettings, Target};
use ringbolt_model::{
    AppId, Application, Channel, Endpoint, EndpointId, EventTypeName, RetrySchedule, Uid,
};
use ringbolt_store::{AppRef, Order, Page, Store, StoreError};

use crate::shared::target;
use cache::{Cache, Stale};
use wanted::{Fingerprints, Wanted};

/// So many endpoints are read and prepared before others get a turn.
const AT_ONCE: usize = 512;
/// What an application takes besides its texts: itself, its place, and what the allocator adds.
const BYTES_OF_AN_APPLICATION: usize = 1024;
/// What an entry of an application's metadata takes besides its texts.
const BYTES_OF_AN_ENTRY: usize = 96;
/// What the allocator and the list add to an endpoint.
const BYTES_BESIDE_AN_ENDPOINT: usize = 96;

/// An application with its endpoints, as routing needs them.
#[derive(Clone)]
pub(crate) struct Routes {
    /// The application.
    pub(crate) app: Arc<Application>,
    /// The store's version of the routes, from before they were read.
    pub(crate) version: u64,
    /// In order of their ids.
    endpoints: Vec<Arc<Route>>,
    fingerprints: Fingerprints,
    /// About how much memory all of this takes.
    bytes: usize,
}

struct Route {
    target: Target,
    wanted: Wanted,
}

impl Route {
    fn new(endpoint: &Endpoint, fingerprints: &Fingerprints) -> Arc<Self> {
        Arc::new(Self {
            target: target(endpoint),
            wanted: fingerprints.wanted(&endpoint.subscription),
        })
    }

    fn bytes(&self) -> usize {
        let schedule = self.target.settings.schedule.as_ref();
        let waits = schedule.map_or(0, |schedule| size_of_val(RetrySchedule::waits(schedule)));
        let fixed = BYTES_BESIDE_AN_ENDPOINT + size_of::<Self>() + size_of::<LaneSettings>();
        fixed + waits + self.wanted.bytes()
    }
}

impl Routes {
    /// Those of an application without endpoints.
    fn new(app: Application, version: u64) -> Self {
        Self {
            version,
            bytes: bytes_of(&app),
            app: Arc::new(app),
            endpoints: Vec::new(),
            fingerprints: Fingerprints::default(),
        }
    }

    /// The endpoints that want a message, in order of their ids.
    pub(crate) fn matching(&self, event_type: &EventTypeName, channels: &[Channel]) -> Vec<Target> {
        let offered = self.fingerprints.offered(event_type, channels);
        let wanted = self.endpoints.iter().filter(|r| r.wanted.wants(&offered));
        wanted.map(|route| route.target.clone()).collect()
    }

    /// The application is as given.
    fn replace(&mut self, app: Application) {
        self.bytes = self.bytes - bytes_of(&self.app) + bytes_of(&app);
        self.app = Arc::new(app);
    }

    /// An endpoint is as given; gone if there is none.
    fn put(&mut self, id: EndpointId, endpoint: Option<&Endpoint>) {
        let place = self
            .endpoints
            .binary_search_by_key(&id, |route| route.target.endpoint);
        if let Ok(place) = place {
            self.bytes -= self.endpoints[place].bytes();
        }
        let route = endpoint.map(|endpoint| Route::new(endpoint, &self.fingerprints));
        self.bytes += route.as_ref().map_or(0, |route| route.bytes());
        match (place, route) {
            (Ok(place), Some(route)) => self.endpoints[place] = route,
            (Err(place), Some(route)) => self.endpoints.insert(place, route),
            (Ok(place), None) => drop(self.endpoints.remove(place)),
            (Err(_), None) => {}
        }
    }
}

fn bytes_of(app: &Application) -> usize {
    let entry = |(key, value): (&String, &String)| BYTES_OF_AN_ENTRY + key.len() + value.len();
    let metadata: usize = app.metadata.0.iter().map(entry).sum();
    // The uid is held a second time, to find the application by it.
    let uid = app.uid.as_ref().map_or(0, |uid| 2 * Uid::as_str(uid).len());
    BYTES_OF_AN_APPLICATION + app.name.len() + metadata + uid
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
    All(Routes),
    Changes(Option<Application>, Vec<(EndpointId, Option<Endpoint>)>),
}

impl Routing {
    /// Routes that take more than `most_bytes` together are not held, but for those in use.
    pub(crate) fn new(store: Arc<dyn Store>, most_bytes: usize) -> Self {
        Self {
            store,
            cache: RwLock::new(Cache::new(most_bytes)),
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
        let version = self.store.routes_version(id).await?;
        let held = self.cache.read().version(id);
        if stale.all || held != Some(version) {
            return Ok(Read::All(self.read_all(id, version).await?));
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

    /// Page by page: the texts of all endpoints together may be large. What changes between two pages is
    /// read again.
    async fn read_all(&self, id: AppId, version: u64) -> Result<Routes, StoreError> {
        let application = self.store.application(AppRef::Id(id)).await?;
        let mut routes = Routes::new(application, version);
        let mut page = Page {
            limit: AT_ONCE,
            order: Order::Ascending,
            after: None,
        };
        loop {
            let listed = self.store.endpoints(id, page.clone()).await?;
            for endpoint in &listed.items {
                routes.put(endpoint.id, Some(endpoint));
            }
            if listed.done || listed.reached.is_none() {
                return Ok(routes);
            }
            page.after = listed.reached;
            tokio::task::yield_now().await;
        }
    }

    /// The store refused a message that was routed by this version: it is not held any more.
    pub(crate) fn outdated(&self, app: AppId, version: u64) {
        self.cache.write().outdated(app, version);
    }

    /// Anything may have changed.
    pub(crate) fn forget_all(&self) {
        self.cache.write().forget_all();
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
            Self::All(routes) => return Arc::new(routes),
            Self::Changes(application, endpoints) => (application, endpoints),
        };
        let mut routes = before.expect("everything is read of what is not held");
        // In place, unless somebody is routing a message right now.
        let own = Arc::make_mut(&mut routes);
        for (id, endpoint) in endpoints {
            own.put(id, endpoint.as_ref());
        }
        if let Some(application) = application {
            own.replace(application);
        }
        routes
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.cache.write().give_up(self.app);
    }
}
