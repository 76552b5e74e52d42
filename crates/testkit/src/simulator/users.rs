//! What users do to applications and endpoints.

use std::num::NonZeroU16;

use ringbolt_model::endpoint::Disabled;
use ringbolt_model::{
    AppId, Application, CustomHeaders, DisableReason, Endpoint, EndpointId, EndpointSecrets,
    Metadata,
};
use ringbolt_signatures::Secret;
use ringbolt_store::{AppRef, Catalogue as _, Edit, EndpointRef, NewEndpoint, StoreError};

use super::Simulation;
use super::acting::{MILLI, TENTH};
use super::agenda::Step;
use super::deeds::Deed;
use super::ledger::Broken;
use super::process::target;
use super::world::{self, Character};

/// The store did not do what it always can.
pub(super) fn failed(error: impl std::fmt::Debug) -> Broken {
    Broken {
        what: format!("the store failed: {error:?}"),
        about: Vec::new(),
    }
}

impl Simulation {
    /// Creates what is there from the beginning.
    pub(super) fn settle_in(&mut self) {
        for app in std::mem::take(&mut self.world.apps) {
            let id = self.create_app(app.rate);
            for character in app.endpoints {
                self.create_endpoint(id, character)
                    .expect("a new endpoint is stored");
            }
        }
    }

    fn create_app(&mut self, rate: Option<NonZeroU16>) -> AppId {
        let app = Application {
            id: self.process.ids.next(self.time.day()),
            uid: None,
            name: "tenant".into(),
            throttle_rate: rate,
            metadata: Metadata::default(),
            updated_at: self.time.day(),
        };
        let id = app.id;
        let created = self.disk.wait(self.disk.store.create_application(app));
        created.expect("a new application is stored");
        self.apps.push(id);
        self.ledger.rate(id, rate);
        self.later(TENTH, MILLI, Step::AppChanged(id));
        id
    }

    fn create_endpoint(&mut self, app: AppId, character: Character) -> Result<(), Broken> {
        let endpoint = Endpoint {
            id: self.process.ids.next(self.time.day()),
            app,
            uid: None,
            url: "https://receiver.example/".into(),
            description: String::new(),
            subscription: character.subscription.clone(),
            disabled: None,
            throttle_rate: character.rate,
            concurrency: character.concurrency,
            schedule: character.schedule.clone(),
            signature_headers: None,
            metadata: Metadata::default(),
            failing: None,
            updated_at: self.time.day(),
        };
        let secrets = EndpointSecrets {
            current: Secret::symmetric_from([1; 24]),
            old: Vec::new(),
        };
        let new = NewEndpoint {
            endpoint: endpoint.clone(),
            secrets,
            headers: CustomHeaders::default(),
        };
        self.disk
            .wait(self.disk.store.create_endpoint(new))
            .map_err(failed)?;
        self.note("create", [0, endpoint.id.raw()], 0);
        self.endpoints.insert(endpoint.id, (app, character));
        self.tell_change(&endpoint);
        Ok(())
    }

    /// A user's change is on its way to the lane.
    fn tell_change(&mut self, endpoint: &Endpoint) {
        self.later(TENTH, MILLI, Step::Changed(target(endpoint)));
    }

    /// An endpoint that is there.
    pub(super) fn some_endpoint(&mut self) -> Option<(AppId, EndpointId)> {
        let there: Vec<_> = self
            .endpoints
            .iter()
            .filter(|(id, _)| !self.ledger.is_deleted(**id))
            .map(|(id, (app, _))| (*app, *id))
            .collect();
        (!there.is_empty()).then(|| self.chance.pick(&there))
    }

    /// A change to applications or endpoints.
    pub(super) fn change(&mut self, deed: Deed) -> Result<(), Broken> {
        if self.disk_is_bad() {
            return Ok(());
        }
        match deed {
            Deed::SetRate => self.set_rate(),
            Deed::DeleteApp => self.delete_app(),
            Deed::EnableAll => self.enable_all(),
            Deed::Create => {
                let app = self.chance.pick(&self.apps);
                let (begin, end) = (self.time.now(), self.world.heals);
                let character = Character::drawn(&mut self.chance, begin, end);
                self.create_endpoint(app, character)
            }
            other => match self.some_endpoint() {
                Some((app, endpoint)) => self.change_endpoint(other, app, endpoint),
                None => Ok(()),
            },
        }
    }

    fn change_endpoint(
        &mut self,
        deed: Deed,
        app: AppId,
        endpoint: EndpointId,
    ) -> Result<(), Broken> {
        let since = self.time.day();
        match deed {
            Deed::Delete => self.delete(app, endpoint),
            Deed::Enable => self.edit(app, endpoint, Box::new(|it| it.disabled = None)),
            Deed::Disable => {
                let reason = DisableReason::Manual;
                let disabled = Some(Disabled { since, reason });
                self.edit(app, endpoint, Box::new(move |it| it.disabled = disabled))
            }
            _ => {
                let rate = world::rate(&mut self.chance);
                let concurrency = world::concurrency(&mut self.chance);
                let schedule = world::schedule(&mut self.chance);
                let subscription = world::subscription(&mut self.chance);
                let edit = move |it: &mut Endpoint| {
                    it.throttle_rate = rate;
                    it.concurrency = concurrency;
                    it.schedule.clone_from(&schedule);
                    it.subscription.clone_from(&subscription);
                };
                self.edit(app, endpoint, Box::new(edit))
            }
        }
    }

    fn edit(
        &mut self,
        app: AppId,
        endpoint: EndpointId,
        edit: Edit<Endpoint>,
    ) -> Result<(), Broken> {
        let store = &self.disk.store;
        let edited = store.edit_endpoint(app, EndpointRef::Id(endpoint), edit);
        let edited = self.disk.wait(edited).map_err(failed)?;
        self.note(
            "edit",
            [0, endpoint.raw()],
            edited.disabled.is_some().into(),
        );
        self.tell_change(&edited);
        Ok(())
    }

    fn delete(&mut self, app: AppId, endpoint: EndpointId) -> Result<(), Broken> {
        let deleted = self
            .disk
            .store
            .delete_endpoint(app, EndpointRef::Id(endpoint));
        self.disk.wait(deleted).map_err(failed)?;
        self.note("delete", [0, endpoint.raw()], 0);
        self.gone(endpoint);
        Ok(())
    }

    fn gone(&mut self, endpoint: EndpointId) {
        self.ledger.lane(endpoint).deleted = true;
        self.later(TENTH, MILLI, Step::Deleted(endpoint));
    }

    fn delete_app(&mut self) -> Result<(), Broken> {
        if self.apps.len() < 2 {
            return Ok(());
        }
        let index = self.chance.index(self.apps.len());
        let app = self.apps.remove(index);
        let deleted = self.disk.store.delete_application(AppRef::Id(app));
        let endpoints = self.disk.wait(deleted).map_err(failed)?;
        self.note("delete app", [app.raw(), 0], 0);
        self.process.routes.remove(&app);
        self.process.rated.remove(&app);
        endpoints
            .into_iter()
            .for_each(|endpoint| self.gone(endpoint));
        Ok(())
    }

    fn set_rate(&mut self) -> Result<(), Broken> {
        let app = self.chance.pick(&self.apps);
        let rate = world::app_rate(&mut self.chance);
        let edit: Edit<Application> = Box::new(move |it| it.throttle_rate = rate);
        let edited = self.disk.store.edit_application(AppRef::Id(app), edit);
        self.disk.wait(edited).map_err(failed)?;
        self.later(TENTH, MILLI, Step::AppChanged(app));
        Ok(())
    }

    /// A user enables an endpoint.
    pub(super) fn enable(&mut self, endpoint: EndpointId) -> Result<(), Broken> {
        if self.disk_is_bad() || self.ledger.is_deleted(endpoint) {
            return Ok(());
        }
        let app = self.endpoints[&endpoint].0;
        self.edit(app, endpoint, Box::new(|it| it.disabled = None))
    }

    fn enable_all(&mut self) -> Result<(), Broken> {
        for (endpoint, app) in self
            .endpoints
            .iter()
            .map(|(id, (app, _))| (*id, *app))
            .collect::<Vec<_>>()
        {
            let found = self
                .disk
                .wait(self.disk.store.endpoint(app, EndpointRef::Id(endpoint)));
            match found {
                Ok(found) if found.disabled.is_some() => {
                    self.edit(app, endpoint, Box::new(|it| it.disabled = None))?;
                }
                Ok(_) | Err(StoreError::NotFound) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}
