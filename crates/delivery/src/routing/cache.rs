//! What is held of which application, and what of it is to be read again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ringbolt_model::{AppId, Application, EndpointId, Uid};
use ringbolt_store::AppRef;

use super::Routes;

/// How many applications are held at most.
const MAX_APPLICATIONS: usize = 20_000;
/// How many endpoints are held at most, of all applications together.
const MAX_ENDPOINTS: usize = 200_000;
/// When more endpoints than this have changed, all are read again rather than each by itself.
const MAX_CHANGED: usize = 256;

/// What has changed since it was read.
#[derive(Debug, Default)]
pub(super) struct Stale {
    /// Everything: nothing is held.
    pub(super) all: bool,
    /// The application itself.
    pub(super) application: bool,
    /// These of its endpoints.
    pub(super) endpoints: BTreeSet<EndpointId>,
}

impl Stale {
    const ALL: Self = Self {
        all: true,
        application: true,
        endpoints: BTreeSet::new(),
    };

    fn is_nothing(&self) -> bool {
        !self.all && !self.application && self.endpoints.is_empty()
    }

    fn add(&mut self, other: Self) {
        if self.all || other.all {
            *self = Self::ALL;
            return;
        }
        self.application |= other.application;
        self.endpoints.extend(other.endpoints);
    }
}

/// What is held of an application.
struct Slot {
    /// Held by whoever reads for it.
    reader: Arc<tokio::sync::Mutex<()>>,
    /// `None` only while all is stale, or being read.
    routes: Option<Arc<Routes>>,
    stale: Stale,
    /// What is being read.
    reading: Option<Stale>,
    /// Whether it was asked for, after it was read, since room was last sought here.
    asked_for: AtomicBool,
}

impl Slot {
    fn new() -> Self {
        Self {
            reader: Arc::default(),
            routes: None,
            stale: Stale::ALL,
            reading: None,
            asked_for: AtomicBool::new(false),
        }
    }

    /// Notes that it is asked for. Those who only look share the word without writing it.
    fn note(&self) {
        if !self.asked_for.load(Relaxed) {
            self.asked_for.store(true, Relaxed);
        }
    }

    /// Whether somebody reads for it, or is about to: then it stays, since there is one reader at a
    /// time for each application.
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.reader) > 1
    }

    fn endpoints(&self) -> usize {
        self.routes
            .as_ref()
            .map_or(0, |routes| routes.endpoints.len())
    }

    fn bytes(&self) -> usize {
        self.routes.as_ref().map_or(0, |routes| routes.bytes)
    }

    fn uid(&self) -> Option<&Uid> {
        self.routes.as_ref()?.app.uid.as_ref()
    }
}

/// The applications in use.
pub(super) struct Cache {
    by_app: BTreeMap<AppId, Slot>,
    by_uid: HashMap<Uid, AppId>,
    endpoints: usize,
    bytes: usize,
    most_bytes: usize,
    /// Where room was last sought: the search goes round.
    hand: AppId,
}

impl Cache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            by_app: BTreeMap::new(),
            by_uid: HashMap::new(),
            endpoints: 0,
            bytes: 0,
            most_bytes,
            hand: AppId::from(0),
        }
    }

    fn find(&self, app: &AppRef) -> Option<&Slot> {
        let id = match app {
            AppRef::Id(id) => id,
            AppRef::Uid(uid) => self.by_uid.get(uid)?,
        };
        self.by_app.get(id)
    }

    /// The routes of an application, if nothing of them has changed.
    pub(super) fn fresh(&self, app: &AppRef) -> Option<Arc<Routes>> {
        let slot = self.find(app)?;
        slot.note();
        let is_fresh = slot.stale.is_nothing() && slot.reading.is_none();
        slot.routes.clone().filter(|_| is_fresh)
    }

    /// The version of the routes that are held, up to date or not.
    pub(super) fn version(&self, app: AppId) -> Option<u64> {
        let routes = self.by_app.get(&app)?.routes.as_ref()?;
        Some(routes.version)
    }

    /// An application, if it has not changed.
    pub(super) fn application(&self, app: &AppRef) -> Option<Arc<Application>> {
        let slot = self.find(app)?;
        slot.note();
        let being_read = slot.reading.as_ref().is_some_and(|one| one.application);
        let routes = slot.routes.as_ref()?;
        (!slot.stale.application && !being_read).then(|| routes.app.clone())
    }

    /// What to hold while reading for an application.
    pub(super) fn reader(&mut self, app: AppId) -> Arc<tokio::sync::Mutex<()>> {
        if !self.by_app.contains_key(&app) {
            self.make_room(app);
        }
        let slot = self.by_app.entry(app).or_insert_with(Slot::new);
        slot.reader.clone()
    }

    /// Begins to read: returns what. Whatever changes from now on is stale again.
    pub(super) fn begin(&mut self, app: AppId) -> Stale {
        let slot = self.by_app.entry(app).or_insert_with(Slot::new);
        let stale = std::mem::take(&mut slot.stale);
        slot.reading = Some(Stale {
            all: stale.all,
            application: stale.application,
            endpoints: stale.endpoints.clone(),
        });
        stale
    }

    /// What was being read could not be: it is stale as before.
    pub(super) fn give_up(&mut self, app: AppId) {
        if let Some(slot) = self.by_app.get_mut(&app)
            && let Some(stale) = slot.reading.take()
        {
            slot.stale.add(stale);
        }
    }

    /// What was read is in force: `change` makes the routes of now from those of before.
    pub(super) fn keep(
        &mut self,
        app: AppId,
        change: impl FnOnce(Option<Arc<Routes>>) -> Arc<Routes>,
    ) -> Arc<Routes> {
        let before = self.take(app);
        let routes = change(before);
        self.endpoints += routes.endpoints.len();
        self.bytes += routes.bytes;
        if let Some(uid) = &routes.app.uid {
            self.by_uid.insert(uid.clone(), app);
        }
        let slot = self.by_app.entry(app).or_insert_with(Slot::new);
        slot.reading = None;
        slot.routes = Some(routes.clone());
        self.make_room(app);
        routes
    }

    /// Takes out the routes of an application.
    fn take(&mut self, app: AppId) -> Option<Arc<Routes>> {
        let slot = self.by_app.get_mut(&app)?;
        self.endpoints -= slot.endpoints();
        self.bytes -= slot.bytes();
        if let Some(uid) = slot.uid() {
            self.by_uid.remove(uid);
        }
        slot.routes.take()
    }

    /// Lets go of others than this one, until there is room.
    fn make_room(&mut self, app: AppId) {
        while self.by_app.len() >= MAX_APPLICATIONS
            || self.endpoints > MAX_ENDPOINTS
            || self.bytes > self.most_bytes
        {
            let Some(other) = self.least_asked_for(app) else {
                return;
            };
            self.drop_slot(other);
        }
    }

    /// The next one that nobody has asked for since the search last came by.
    fn least_asked_for(&mut self, but: AppId) -> Option<AppId> {
        // On the first round each may have been asked for.
        for _ in 0..2 * self.by_app.len() {
            let beyond = self.by_app.range((Excluded(self.hand), Unbounded)).next();
            let (id, slot) = beyond.or_else(|| self.by_app.first_key_value())?;
            self.hand = *id;
            if *id != but && !slot.is_in_use() && !slot.asked_for.swap(false, Relaxed) {
                return Some(*id);
            }
        }
        None
    }

    /// How many bytes are held.
    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_slot(&mut self, app: AppId) {
        self.take(app);
        self.by_app.remove(&app);
    }

    /// Routes of this version are not the store's. Many who were routed by them may come to say so: what
    /// was read meanwhile stays.
    pub(super) fn outdated(&mut self, app: AppId, version: u64) {
        let Some(slot) = self.by_app.get_mut(&app) else {
            return;
        };
        let held = slot.routes.as_ref();
        if !slot.stale.all && held.is_some_and(|routes| routes.version == version) {
            self.let_go(app);
        }
    }

    /// Everything of an application is to be read again.
    fn let_go(&mut self, app: AppId) {
        let Some(slot) = self.by_app.get_mut(&app) else {
            return;
        };
        slot.stale = Stale::ALL;
        if slot.reading.is_none() {
            self.take(app);
        }
    }

    /// An application is another than it was.
    pub(super) fn application_changed(&mut self, app: AppId) {
        let Some(slot) = self.by_app.get_mut(&app) else {
            return;
        };
        slot.stale.application = true;
        // It is not found by a uid that it may not have any more.
        if let Some(uid) = slot.uid() {
            self.by_uid.remove(uid);
        }
    }

    /// An application is gone.
    pub(super) fn application_deleted(&mut self, app: AppId) {
        match self.by_app.get_mut(&app) {
            Some(slot) if slot.is_in_use() => slot.stale = Stale::ALL,
            _ => self.drop_slot(app),
        }
    }

    /// Everything is to be read again.
    pub(super) fn forget_all(&mut self) {
        let all: Vec<AppId> = self.by_app.keys().copied().collect();
        for app in all {
            self.application_deleted(app);
        }
    }

    /// An endpoint is another than it was, new or gone.
    pub(super) fn endpoint_changed(&mut self, app: AppId, endpoint: EndpointId) {
        let Some(slot) = self.by_app.get_mut(&app) else {
            return;
        };
        if slot.stale.all {
            return;
        }
        slot.stale.endpoints.insert(endpoint);
        if slot.stale.endpoints.len() > MAX_CHANGED {
            self.let_go(app);
        }
    }
}
