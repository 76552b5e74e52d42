//! What every handler needs: the machine, who may what, and finding what a path names.

use std::sync::Arc;

use ringbolt_delivery::{Handle, KeyNews, Refused};
use ringbolt_gate::dress::RequestIds;
use ringbolt_gate::idempotency;
use ringbolt_gate::{Authenticator, Caller, Kind, Permission, Problem};
use ringbolt_model::{
    AppId, Application, AttemptId, Endpoint, EndpointId, Message, MessageId, Timestamp,
};
use ringbolt_store::{AppRef, EndpointRef, MessageRef, Store, StoreError};

use crate::acts::{Act, Acts};
use crate::figures::Figures;
use crate::settings::{ApiSettings, StartError};

/// What handlers share.
pub(crate) struct Room {
    pub(crate) settings: ApiSettings,
    pub(crate) handle: Handle,
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) ids: Arc<RequestIds>,
    pub(crate) figures: Figures,
    acts: Acts,
    /// The content type of most messages, so that it is allocated once.
    pub(crate) json: Arc<str>,
}

/// How handlers take the room.
pub(crate) type Here = axum::extract::State<Arc<Room>>;

impl Room {
    pub(crate) fn new(settings: ApiSettings, handle: Handle) -> Result<Self, StartError> {
        let settings = settings.check()?;
        let clock = handle.clone();
        let now = Arc::new(move || clock.now());
        let auth = Authenticator::new(settings.admin_token, handle.store().clone(), now);
        let auth = Arc::new(auth);
        forget_what_others_revoke(&auth, &handle);
        Ok(Self {
            auth,
            ids: Arc::new(RequestIds::new()?),
            figures: Figures::default(),
            acts: Acts::new(),
            json: ringbolt_model::message::JSON.into(),
            settings,
            handle,
        })
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.handle.store()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.handle.now()
    }

    /// Notes in the log what was done.
    pub(crate) fn done(&self, caller: Caller, act: Act<'_>) {
        self.acts.done(caller, act);
    }

    /// The application that a path names, if the caller may do this there.
    pub(crate) async fn app(
        &self,
        caller: Caller,
        permission: Permission,
        segment: &str,
    ) -> Result<Arc<Application>, Problem> {
        caller.must(permission)?;
        self.named(caller, segment).await
    }

    /// The application that a path names, if the caller may know of it.
    pub(crate) async fn named(
        &self,
        caller: Caller,
        segment: &str,
    ) -> Result<Arc<Application>, Problem> {
        let found = self.handle.application(&app_ref(segment)?).await;
        let app = found.map_err(|error| Kind::Application.or(error, segment))?;
        caller.must_reach(app.id, segment)?;
        Ok(app)
    }

    /// The endpoint of an application that a path names.
    pub(crate) async fn endpoint(&self, app: AppId, segment: &str) -> Result<Endpoint, Problem> {
        let found = self.store().endpoint(app, endpoint_ref(segment)?).await;
        found.map_err(|error| Kind::Endpoint.or(error, segment))
    }

    /// The message of an application that a path names.
    pub(crate) async fn message(
        &self,
        app: AppId,
        segment: &str,
        with_content: bool,
    ) -> Result<Message, Problem> {
        let message = message_ref(segment)?;
        let found = self.store().message(app, message, with_content).await;
        found.map_err(|error| Kind::Message.or(error, segment))
    }
}

/// What another node revokes does not work here from the moment that it is heard of.
fn forget_what_others_revoke(auth: &Arc<Authenticator>, handle: &Handle) {
    // The machine would keep itself alive otherwise.
    let auth = Arc::downgrade(auth);
    handle.hear_of_keys(move |news| {
        let Some(auth) = auth.upgrade() else { return };
        match news {
            KeyNews::Key(key) => auth.forget(key),
            KeyNews::All => auth.forget_all(),
        }
    });
}

/// Reads a path's application: an id or a uid.
pub(crate) fn app_ref(segment: &str) -> Result<AppRef, Problem> {
    let read = if segment.starts_with(AppId::PREFIX) {
        segment.parse().map(AppRef::Id).ok()
    } else {
        segment.parse().map(AppRef::Uid).ok()
    };
    read.ok_or_else(|| Problem::missing(Kind::Application, segment))
}

/// Reads a path's endpoint: an id or a uid.
pub(crate) fn endpoint_ref(segment: &str) -> Result<EndpointRef, Problem> {
    let read = if segment.starts_with(EndpointId::PREFIX) {
        segment.parse().map(EndpointRef::Id).ok()
    } else {
        segment.parse().map(EndpointRef::Uid).ok()
    };
    read.ok_or_else(|| Problem::missing(Kind::Endpoint, segment))
}

/// Reads a path's message: an id or an event id.
pub(crate) fn message_ref(segment: &str) -> Result<MessageRef, Problem> {
    let read = if segment.starts_with(MessageId::PREFIX) {
        segment.parse().map(MessageRef::Id).ok()
    } else {
        segment.parse().map(MessageRef::EventId).ok()
    };
    read.ok_or_else(|| Problem::missing(Kind::Message, segment))
}

/// Reads a path's attempt.
pub(crate) fn attempt_id(segment: &str) -> Result<AttemptId, Problem> {
    segment
        .parse()
        .map_err(|_| Problem::missing(Kind::Attempt, segment))
}

/// The HTTP face of a message that was not taken.
pub(crate) fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::KeyReused => idempotency::reused(),
        Refused::EventIdTaken => Problem::conflict(refused.to_string()),
        Refused::ApplicationGone => StoreError::NotFound.into(),
        Refused::Stale => Problem::unavailable(refused.to_string()),
        Refused::Overloaded { retry_after } => {
            Problem::too_many("too many messages wait to be written", retry_after)
        }
        Refused::Stopping => Problem::unavailable("the server is stopping"),
        Refused::Store(error) => error.into(),
    }
}
