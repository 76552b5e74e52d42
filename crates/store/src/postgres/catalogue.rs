//! The catalogue on PostgreSQL.

use super::PostgresStore;
use crate::*;
use crate::{Listing, Page, StoreError};
use async_trait::async_trait;
use ringbolt_model::endpoint::Failing;
use ringbolt_model::{
    AppId, Application, Attempt, CustomHeaders, DisableReason, Endpoint, EndpointId,
    EndpointSecrets, EventType, EventTypeName, Timestamp, Uid,
};

#[async_trait]
impl Catalogue for PostgresStore {
    async fn create_application(&self, app: Application) -> Result<(), StoreError> {
        todo!()
    }
    async fn application(&self, app: AppRef) -> Result<Application, StoreError> {
        todo!()
    }
    async fn applications(
        &self,
        page: Page<AppId>,
    ) -> Result<Listing<Application, AppId>, StoreError> {
        todo!()
    }
    async fn routes_version(&self, app: AppId) -> Result<u64, StoreError> {
        todo!()
    }
    async fn edit_application(
        &self,
        app: AppRef,
        edit: Edit<Application>,
    ) -> Result<Application, StoreError> {
        todo!()
    }
    async fn delete_application(&self, app: AppRef) -> Result<Vec<EndpointId>, StoreError> {
        todo!()
    }

    async fn create_endpoint(&self, endpoint: NewEndpoint) -> Result<(), StoreError> {
        todo!()
    }
    async fn endpoint(&self, app: AppId, endpoint: EndpointRef) -> Result<Endpoint, StoreError> {
        todo!()
    }
    async fn destination(&self, endpoint: EndpointId) -> Result<Destination, StoreError> {
        todo!()
    }
    async fn endpoints(
        &self,
        app: AppId,
        page: Page<EndpointId>,
    ) -> Result<Listing<Endpoint, EndpointId>, StoreError> {
        todo!()
    }
    async fn edit_endpoint(
        &self,
        app: AppId,
        endpoint: EndpointRef,
        edit: Edit<Endpoint>,
    ) -> Result<Endpoint, StoreError> {
        todo!()
    }
    async fn edit_secrets(
        &self,
        endpoint: EndpointId,
        edit: Edit<EndpointSecrets>,
    ) -> Result<EndpointSecrets, StoreError> {
        todo!()
    }
    async fn edit_headers(
        &self,
        endpoint: EndpointId,
        edit: Edit<CustomHeaders>,
    ) -> Result<CustomHeaders, StoreError> {
        todo!()
    }
    async fn delete_endpoint(
        &self,
        app: AppId,
        endpoint: EndpointRef,
    ) -> Result<EndpointId, StoreError> {
        todo!()
    }
    async fn disable_endpoint(
        &self,
        endpoint: EndpointId,
        reason: DisableReason,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        todo!()
    }
    async fn keep_failing(
        &self,
        endpoint: EndpointId,
        failing: Option<Failing>,
    ) -> Result<(), StoreError> {
        todo!()
    }
    async fn failing_endpoints(
        &self,
        page: Page<EndpointId>,
        since: Timestamp,
    ) -> Result<Listing<FailingEndpoint, EndpointId>, StoreError> {
        todo!()
    }

    async fn create_event_type(&self, event_type: EventType) -> Result<(), StoreError> {
        todo!()
    }
    async fn event_type(&self, name: EventTypeName) -> Result<EventType, StoreError> {
        todo!()
    }
    async fn event_types(
        &self,
        page: Page<EventTypeName>,
        shown: EventTypesShown,
    ) -> Result<Listing<EventType, EventTypeName>, StoreError> {
        todo!()
    }
    async fn known_event_types(
        &self,
        names: Vec<EventTypeName>,
    ) -> Result<Vec<(EventTypeName, Option<String>)>, StoreError> {
        todo!()
    }
    async fn edit_event_type(
        &self,
        name: EventTypeName,
        edit: Edit<EventType>,
    ) -> Result<EventType, StoreError> {
        todo!()
    }
    async fn expunge_event_type(&self, name: EventTypeName) -> Result<(), StoreError> {
        todo!()
    }
}
