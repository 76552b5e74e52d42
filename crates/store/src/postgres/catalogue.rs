//! The catalogue on PostgreSQL: each operation is one read, or one transaction.

mod applications;
pub(in crate::postgres) mod changes;
mod endpoint_row;
mod endpoints;
mod event_types;
mod failing;
mod sealed;

use async_trait::async_trait;
use ringbolt_model::endpoint::{Disabled, Failing};
use ringbolt_model::{
    AppId, Application, CustomHeaders, DisableReason, Endpoint, EndpointId, EndpointSecrets,
    EventType, EventTypeName, Timestamp,
};

pub(in crate::postgres) use endpoint_row::{ENDPOINT_COLUMNS, endpoint};

use super::PostgresStore;
#[cfg(test)]
use crate::Order;
use crate::{
    AppRef, Catalogue, Destination, Edit, EndpointRef, EventTypesShown, FailingEndpoint, Listing,
    NewEndpoint, Page, StoreError,
};
use changes::again;

#[async_trait]
impl Catalogue for PostgresStore {
    async fn create_application(&self, app: Application) -> Result<(), StoreError> {
        Ok(applications::create(self, app).await?)
    }

    async fn application(&self, app: AppRef) -> Result<Application, StoreError> {
        Ok(applications::one(self, &app).await?)
    }

    async fn applications(
        &self,
        page: Page<AppId>,
    ) -> Result<Listing<Application, AppId>, StoreError> {
        Ok(applications::list(self, &page).await?)
    }

    async fn routes_version(&self, app: AppId) -> Result<u64, StoreError> {
        Ok(applications::routes(self, app).await?)
    }

    async fn edit_application(
        &self,
        app: AppRef,
        mut edit: Edit<Application>,
    ) -> Result<Application, StoreError> {
        again!(applications::edit(self, &app, &mut edit))
    }

    async fn delete_application(&self, app: AppRef) -> Result<Vec<EndpointId>, StoreError> {
        again!(applications::delete(self, &app))
    }

    async fn create_endpoint(&self, endpoint: NewEndpoint) -> Result<(), StoreError> {
        again!(endpoints::create(self, &endpoint))
    }

    async fn endpoint(&self, app: AppId, endpoint: EndpointRef) -> Result<Endpoint, StoreError> {
        Ok(endpoints::one(self, app, &endpoint).await?)
    }

    async fn destination(&self, endpoint: EndpointId) -> Result<Destination, StoreError> {
        Ok(sealed::destination(self, endpoint).await?)
    }

    async fn endpoints(
        &self,
        app: AppId,
        page: Page<EndpointId>,
    ) -> Result<Listing<Endpoint, EndpointId>, StoreError> {
        Ok(endpoints::list(self, app, &page).await?)
    }

    async fn edit_endpoint(
        &self,
        app: AppId,
        endpoint: EndpointRef,
        mut edit: Edit<Endpoint>,
    ) -> Result<Endpoint, StoreError> {
        again!(endpoints::edit(self, app, &endpoint, &mut edit))
    }

    async fn edit_secrets(
        &self,
        endpoint: EndpointId,
        mut edit: Edit<EndpointSecrets>,
    ) -> Result<EndpointSecrets, StoreError> {
        again!(sealed::edit_secrets(self, endpoint, &mut edit))
    }

    async fn edit_headers(
        &self,
        endpoint: EndpointId,
        mut edit: Edit<CustomHeaders>,
    ) -> Result<CustomHeaders, StoreError> {
        again!(sealed::edit_headers(self, endpoint, &mut edit))
    }

    async fn delete_endpoint(
        &self,
        app: AppId,
        endpoint: EndpointRef,
    ) -> Result<EndpointId, StoreError> {
        again!(endpoints::delete(self, app, &endpoint))
    }

    async fn disable_endpoint(
        &self,
        endpoint: EndpointId,
        reason: DisableReason,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let disabled = Disabled { since: now, reason };
        match again!(endpoints::disable(self, endpoint, disabled)) {
            Err(StoreError::NotFound) => Ok(false),
            done => done,
        }
    }

    async fn keep_failing(
        &self,
        endpoint: EndpointId,
        failing: Option<Failing>,
    ) -> Result<(), StoreError> {
        Ok(endpoints::keep_failing(self, endpoint, failing).await?)
    }

    async fn failing_endpoints(
        &self,
        page: Page<EndpointId>,
        since: Timestamp,
    ) -> Result<Listing<FailingEndpoint, EndpointId>, StoreError> {
        Ok(failing::list(self, &page, since).await?)
    }

    async fn create_event_type(&self, event_type: EventType) -> Result<(), StoreError> {
        Ok(event_types::create(self, event_type).await?)
    }

    async fn event_type(&self, name: EventTypeName) -> Result<EventType, StoreError> {
        Ok(event_types::one(self, &name).await?)
    }

    async fn event_types(
        &self,
        page: Page<EventTypeName>,
        shown: EventTypesShown,
    ) -> Result<Listing<EventType, EventTypeName>, StoreError> {
        Ok(event_types::list(self, &page, shown).await?)
    }

    async fn known_event_types(
        &self,
        names: Vec<EventTypeName>,
    ) -> Result<Vec<(EventTypeName, Option<String>)>, StoreError> {
        Ok(event_types::known(self, names).await?)
    }

    async fn edit_event_type(
        &self,
        name: EventTypeName,
        mut edit: Edit<EventType>,
    ) -> Result<EventType, StoreError> {
        again!(event_types::edit(self, &name, &mut edit))
    }

    async fn expunge_event_type(&self, name: EventTypeName) -> Result<(), StoreError> {
        Ok(event_types::expunge(self, &name).await?)
    }
}

/// The lists of the catalogue with the indexes that each walks, for the test of query plans.
#[cfg(test)]
pub(in crate::postgres) fn lists() -> Vec<(String, &'static [&'static str])> {
    let of = |order: Order| -> [(String, &'static [&'static str]); 5] {
        [
            (
                applications::list_sql(order),
                &["using application_live on"],
            ),
            (endpoints::list_sql(order), &["using endpoint_by_app on"]),
            (failing::list_sql(order), &["using endpoint_failing on"]),
            (
                event_types::list_sql(order, false),
                &["using event_type_pkey on"],
            ),
            (
                event_types::list_sql(order, true),
                &["using event_type_pkey on"],
            ),
        ]
    };
    let looked_up: (String, &'static [&'static str]) = (
        failing::look_up_sql(),
        &[
            "using attempt_rest_app_id_endpoint_id_id_idx on",
            "counter_rest_pkey",
        ],
    );
    let ways = [of(Order::Ascending), of(Order::Descending)];
    ways.into_iter().flatten().chain([looked_up]).collect()
}
