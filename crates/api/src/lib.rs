#![doc = include_str!("../README.md")]

mod acts;
mod application;
mod attempt;
mod bounds;
mod docs;
mod due;
mod endpoint;
mod event_type;
mod figures;
mod health;
mod hot;
mod key;
mod message;
mod node;
mod permitted;
mod portal;
mod room;
mod routes;
mod settings;
mod slash;
mod status;
mod turns;
mod waiting;

use std::sync::Arc;

use axum::Router;
use ringbolt_delivery::Handle;
use ringbolt_store::StoreError;
use tokio_util::task::TaskTracker;

pub use hot::HotRoute;
pub use settings::{ApiSettings, DEFAULT_MAX_PAYLOAD, LARGEST_MAX_PAYLOAD, StartError};
pub use waiting::waiting;

use room::Room;

/// The HTTP API for sending.
#[derive(Clone)]
pub struct Api {
    room: Arc<Room>,
    changes: TaskTracker,
}

impl Api {
    /// The API of the machine behind `handle`.
    ///
    /// # Errors
    /// [`StartError`] if a setting is wrong, or the operating system has no randomness to give.
    pub fn new(settings: ApiSettings, handle: Handle) -> Result<Self, StartError> {
        let room = Arc::new(Room::new(settings, handle)?);
        Ok(Self {
            room,
            changes: TaskTracker::new(),
        })
    }

    /// All routes.
    pub fn router(&self) -> Router {
        routes::router(&self.room, &self.changes)
    }

    /// The route that accepts messages, to be asked before the router: it does the same with less.
    #[must_use]
    pub fn hot(&self) -> HotRoute {
        HotRoute::new(self.room.clone())
    }

    /// Notes in the store when API keys were last used. To be called every minute and at the end.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn note_uses(&self) -> Result<(), StoreError> {
        self.room.auth.note_uses().await
    }

    /// Returns when a key was revoked and that could not be written: [`Self::write_revocations`] is then
    /// to be called until it succeeds.
    pub async fn revocation_failed(&self) {
        self.room.auth.revocation_failed().await;
    }

    /// Writes the revocations that could not be written before.
    ///
    /// # Errors
    /// If the store still cannot be written.
    pub async fn write_revocations(&self) -> Result<(), StoreError> {
        self.room.auth.write_revocations().await
    }

    /// Waits for the changes that were begun. To be called once no request comes any more.
    pub async fn finish(&self) {
        self.changes.close();
        self.changes.wait().await;
    }

    /// The description of the API, as OpenAPI 3.1 in JSON.
    #[must_use]
    pub fn openapi() -> String {
        docs::text()
    }
}
