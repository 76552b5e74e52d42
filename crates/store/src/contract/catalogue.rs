//! Applications, endpoints and event types.

use async_trait::async_trait;
use ringbolt_model::endpoint::Failing;
use ringbolt_model::{
    AppId, Application, Attempt, CustomHeaders, DisableReason, Endpoint, EndpointId,
    EndpointSecrets, EventType, EventTypeName, Timestamp, Uid,
};

use super::{Listing, Page, StoreError};

/// Names an application, as a path of the API does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppRef {
    /// By its id.
    Id(AppId),
    /// By the user's own identifier.
    Uid(Uid),
}

/// Names an endpoint of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointRef {
    /// By its id.
    Id(EndpointId),
    /// By the user's own identifier.
    Uid(Uid),
}

/// A change to a stored thing: it is given the thing as it is now, within the transaction that will
/// store what it made of it. It may run more than once, and must not change the id.
pub type Edit<T> = Box<dyn FnMut(&mut T) + Send>;

/// An endpoint with what belongs to it.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What signs its deliveries.
    pub secrets: EndpointSecrets,
    /// Headers added to its deliveries.
    pub headers: CustomHeaders,
}

/// All that is needed to send to an endpoint.
pub type Destination = NewEndpoint;

/// An endpoint that fails.
#[derive(Debug, Clone, PartialEq)]
pub struct FailingEndpoint {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// How many deliveries are pending or parked.
    pub pending: i64,
    /// Its latest failed attempt without content, unless that is past retention or lies very far back.
    pub last_failure: Option<Attempt>,
}

/// Which event types a list shows, and how much of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventTypesShown {
    /// Archived ones too.
    pub archived: bool,
    /// With their schemas; they are left out otherwise.
    pub schemas: bool,
}

/// Applications, endpoints and event types. Deleted things are not found from the moment that the
/// deletion was answered; what they own is removed later, in bounded batches, by [`super::Upkeep`].
#[async_trait]
pub trait Catalogue: Send + Sync {
    /// Stores a new application. `Conflict("uid")` if its uid is taken.
    async fn create_application(&self, app: Application) -> Result<(), StoreError>;
    /// One application.
    async fn application(&self, app: AppRef) -> Result<Application, StoreError>;
    /// Applications, by id.
    async fn applications(
        &self,
        page: Page<AppId>,
    ) -> Result<Listing<Application, AppId>, StoreError>;
    /// The version of an application's routes: it grows with each change of the application or of one of its endpoints
    /// that another node could miss. `NotFound` if it was deleted.
    async fn routes_version(&self, app: AppId) -> Result<u64, StoreError>;
    /// Changes an application and returns it. `Conflict("uid")` if its new uid is taken.
    async fn edit_application(
        &self,
        app: AppRef,
        edit: Edit<Application>,
    ) -> Result<Application, StoreError>;
    /// Deletes an application with all that it owns, and says which endpoints it had.
    async fn delete_application(&self, app: AppRef) -> Result<Vec<EndpointId>, StoreError>;

    /// Stores a new endpoint. `Conflict("uid")` if its uid is taken within the application;
    /// `TooMany` beyond the configured number of endpoints.
    async fn create_endpoint(&self, endpoint: NewEndpoint) -> Result<(), StoreError>;
    /// One endpoint of an application.
    async fn endpoint(&self, app: AppId, endpoint: EndpointRef) -> Result<Endpoint, StoreError>;
    /// An endpoint's deliveries need these: url, secrets, headers.
    async fn destination(&self, endpoint: EndpointId) -> Result<Destination, StoreError>;
    /// Endpoints of an application, by id. A page ends early rather than be very long.
    async fn endpoints(
        &self,
        app: AppId,
        page: Page<EndpointId>,
    ) -> Result<Listing<Endpoint, EndpointId>, StoreError>;
    /// Changes an endpoint and returns it. `Conflict("uid")` if its new uid is taken.
    async fn edit_endpoint(
        &self,
        app: AppId,
        endpoint: EndpointRef,
        edit: Edit<Endpoint>,
    ) -> Result<Endpoint, StoreError>;
    /// Changes an endpoint's secrets and returns what they are now.
    async fn edit_secrets(
        &self,
        endpoint: EndpointId,
        edit: Edit<EndpointSecrets>,
    ) -> Result<EndpointSecrets, StoreError>;
    /// Changes an endpoint's headers.
    async fn edit_headers(
        &self,
        endpoint: EndpointId,
        edit: Edit<CustomHeaders>,
    ) -> Result<CustomHeaders, StoreError>;
    /// Deletes an endpoint; its unfinished deliveries count as cancelled from now on.
    async fn delete_endpoint(
        &self,
        app: AppId,
        endpoint: EndpointRef,
    ) -> Result<EndpointId, StoreError>;
    /// Disables an endpoint, unless it is disabled already or is gone; says whether it did.
    async fn disable_endpoint(
        &self,
        endpoint: EndpointId,
        reason: DisableReason,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Keeps how long an endpoint has been failing. Unknown endpoints are ignored.
    async fn keep_failing(
        &self,
        endpoint: EndpointId,
        failing: Option<Failing>,
    ) -> Result<(), StoreError>;
    /// Endpoints of all applications, by id, that are failing or were disabled for answering 410, with what waits for
    /// them of messages accepted since a moment. A page ends early rather than be very long or take long.
    async fn failing_endpoints(
        &self,
        page: Page<EndpointId>,
        since: Timestamp,
    ) -> Result<Listing<FailingEndpoint, EndpointId>, StoreError>;

    /// Stores a new event type. An archived one of the same name is replaced;
    /// `Conflict("name")` if one exists that is not archived.
    async fn create_event_type(&self, event_type: EventType) -> Result<(), StoreError>;
    /// One event type, archived or not.
    async fn event_type(&self, name: EventTypeName) -> Result<EventType, StoreError>;
    /// Event types, by name. A page with schemas ends early when it has many bytes of them, after
    /// one event type at least.
    async fn event_types(
        &self,
        page: Page<EventTypeName>,
        shown: EventTypesShown,
    ) -> Result<Listing<EventType, EventTypeName>, StoreError>;
    /// Those of these names that event types have, archived ones too, each with its feature flag.
    async fn known_event_types(
        &self,
        names: Vec<EventTypeName>,
    ) -> Result<Vec<(EventTypeName, Option<String>)>, StoreError>;
    /// Changes an event type and returns it.
    async fn edit_event_type(
        &self,
        name: EventTypeName,
        edit: Edit<EventType>,
    ) -> Result<EventType, StoreError>;
    /// Removes an event type for good. (Archiving it is an edit.)
    async fn expunge_event_type(&self, name: EventTypeName) -> Result<(), StoreError>;
}
