//! The catalogue on SQLite: each operation is one read, or one call in the writer's transaction.

mod applications;
mod endpoint_row;
mod endpoints;
mod event_types;

use std::sync::Arc;

use async_trait::async_trait;
use ringbolt_model::endpoint::{Disabled, Failing};
use ringbolt_model::{
    AppId, Application, CustomHeaders, DisableReason, Endpoint, EndpointId, EndpointSecrets,
    EventType, EventTypeName, Timestamp,
};

pub(in crate::sqlite) use applications::exists as application_exists;
pub(in crate::sqlite) use endpoint_row::{ENDPOINT_COLUMNS, endpoint};

use super::SqliteStore;
use super::log::failing;
#[cfg(test)]
use crate::Order;
use crate::{
    AppRef, Catalogue, Destination, Edit, EndpointRef, EventTypesShown, FailingEndpoint, Listing,
    NewEndpoint, Page, StoreError,
};

#[async_trait]
impl Catalogue for SqliteStore {
    async fn create_application(&self, app: Application) -> Result<(), StoreError> {
        self.write(move |tx| applications::create(tx, &app)).await
    }

    async fn application(&self, app: AppRef) -> Result<Application, StoreError> {
        self.read(move |conn| applications::find(conn, &app)).await
    }

    async fn applications(
        &self,
        page: Page<AppId>,
    ) -> Result<Listing<Application, AppId>, StoreError> {
        self.read(move |conn| applications::list(conn, &page)).await
    }

    /// Routes are changed by this process only, which tells itself.
    async fn routes_version(&self, app: AppId) -> Result<u64, StoreError> {
        self.read(move |conn| match applications::exists(conn, app)? {
            true => Ok(0),
            false => Err(StoreError::NotFound.into()),
        })
        .await
    }

    async fn edit_application(
        &self,
        app: AppRef,
        edit: Edit<Application>,
    ) -> Result<Application, StoreError> {
        self.write(move |tx| applications::edit(tx, &app, edit))
            .await
    }

    async fn delete_application(&self, app: AppRef) -> Result<Vec<EndpointId>, StoreError> {
        let now = self.clock().now();
        self.write(move |tx| applications::delete(tx, &app, now))
            .await
    }

    async fn create_endpoint(&self, endpoint: NewEndpoint) -> Result<(), StoreError> {
        let (vault, limit) = (Arc::clone(&self.vault), self.settings.max_endpoints_per_app);
        self.write(move |tx| endpoints::create(tx, &vault, &endpoint, limit))
            .await
    }

    async fn endpoint(&self, app: AppId, endpoint: EndpointRef) -> Result<Endpoint, StoreError> {
        self.read(move |conn| endpoints::find(conn, app, &endpoint))
            .await
    }

    async fn destination(&self, endpoint: EndpointId) -> Result<Destination, StoreError> {
        let vault = Arc::clone(&self.vault);
        self.read(move |conn| endpoints::destination(conn, &vault, endpoint))
            .await
    }

    async fn endpoints(
        &self,
        app: AppId,
        page: Page<EndpointId>,
    ) -> Result<Listing<Endpoint, EndpointId>, StoreError> {
        self.read(move |conn| endpoints::list(conn, app, &page))
            .await
    }

    async fn edit_endpoint(
        &self,
        app: AppId,
        endpoint: EndpointRef,
        edit: Edit<Endpoint>,
    ) -> Result<Endpoint, StoreError> {
        self.write(move |tx| endpoints::edit(tx, app, &endpoint, edit))
            .await
    }

    async fn edit_secrets(
        &self,
        endpoint: EndpointId,
        edit: Edit<EndpointSecrets>,
    ) -> Result<EndpointSecrets, StoreError> {
        let vault = Arc::clone(&self.vault);
        self.write(move |tx| endpoints::edit_secrets(tx, &vault, endpoint, edit))
            .await
    }

    async fn edit_headers(
        &self,
        endpoint: EndpointId,
        edit: Edit<CustomHeaders>,
    ) -> Result<CustomHeaders, StoreError> {
        let vault = Arc::clone(&self.vault);
        self.write(move |tx| endpoints::edit_headers(tx, &vault, endpoint, edit))
            .await
    }

    async fn delete_endpoint(
        &self,
        app: AppId,
        endpoint: EndpointRef,
    ) -> Result<EndpointId, StoreError> {
        let now = self.clock().now();
        self.write(move |tx| endpoints::delete(tx, app, &endpoint, now))
            .await
    }

    async fn disable_endpoint(
        &self,
        endpoint: EndpointId,
        reason: DisableReason,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let disabled = Disabled { since: now, reason };
        self.write(move |tx| endpoints::disable(tx, endpoint, disabled))
            .await
    }

    async fn keep_failing(
        &self,
        endpoint: EndpointId,
        failing: Option<Failing>,
    ) -> Result<(), StoreError> {
        self.write(move |tx| endpoints::keep_failing(tx, endpoint, failing))
            .await
    }

    async fn failing_endpoints(
        &self,
        page: Page<EndpointId>,
        since: Timestamp,
    ) -> Result<Listing<FailingEndpoint, EndpointId>, StoreError> {
        let clock = Arc::clone(&self.settings.clock);
        self.read(move |conn| {
            let listed = endpoints::failing(conn, &page)?;
            Ok(failing::looked_up(conn, listed, since, &*clock)?)
        })
        .await
    }

    async fn create_event_type(&self, event_type: EventType) -> Result<(), StoreError> {
        self.write(move |tx| event_types::create(tx, &event_type))
            .await
    }

    async fn event_type(&self, name: EventTypeName) -> Result<EventType, StoreError> {
        self.read(move |conn| event_types::find(conn, &name)).await
    }

    async fn event_types(
        &self,
        page: Page<EventTypeName>,
        shown: EventTypesShown,
    ) -> Result<Listing<EventType, EventTypeName>, StoreError> {
        self.read(move |conn| event_types::list(conn, &page, shown))
            .await
    }

    async fn known_event_types(
        &self,
        names: Vec<EventTypeName>,
    ) -> Result<Vec<(EventTypeName, Option<String>)>, StoreError> {
        self.read(move |conn| event_types::known(conn, names)).await
    }

    async fn edit_event_type(
        &self,
        name: EventTypeName,
        edit: Edit<EventType>,
    ) -> Result<EventType, StoreError> {
        self.write(move |tx| event_types::edit(tx, name, edit))
            .await
    }

    async fn expunge_event_type(&self, name: EventTypeName) -> Result<(), StoreError> {
        self.write(move |tx| event_types::expunge(tx, &name)).await
    }
}

/// The lists of the catalogue with what each plan must say, for the test of query plans. Event types
/// are walked in the order of their table, from its beginning if the list begins there.
#[cfg(test)]
pub(in crate::sqlite) fn lists() -> Vec<(String, &'static [&'static str])> {
    let of = |order: Order, compare: &str| -> [(String, &'static [&'static str]); 5] {
        let event_type: &[&str] = match compare {
            ">" => &["SEARCH event_type USING PRIMARY KEY (name>?)"],
            _ => &["SEARCH event_type USING PRIMARY KEY (name<?)"],
        };
        [
            (
                applications::list_sql(order),
                &["USING INDEX application_live (id"],
            ),
            (endpoints::list_sql(order), &["endpoint_by_app (app_id=?"]),
            (endpoints::failing_sql(order), &["endpoint_failing (id"]),
            (event_types::list_sql(order, false), &["SCAN event_type"]),
            (event_types::list_sql(order, true), event_type),
        ]
    };
    of(Order::Ascending, ">")
        .into_iter()
        .chain(of(Order::Descending, "<"))
        .collect()
}
