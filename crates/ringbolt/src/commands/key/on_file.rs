//! Keys in a store that no server has open.

use std::sync::Arc;

use anyhow::Context as _;
use ringbolt_gate::token::NewToken;
use ringbolt_model::{ApiKey, AppId, Clock, IdMaker, KeyId};
use ringbolt_store::{AppRef, Catalogue as _, Keys as _, Order, Page, SqliteStore, Upkeep as _};

use super::{Listed, Made, Wanted};

/// How many keys are read at a time.
const PAGE: usize = 250;

/// The store.
pub(super) struct OnFile {
    store: SqliteStore,
    clock: Arc<dyn Clock>,
}

impl OnFile {
    pub(super) fn new(store: SqliteStore, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    pub(super) async fn create(&self, wanted: Wanted) -> anyhow::Result<Made> {
        let app = match &wanted.application {
            Some(text) => Some(self.application(text).await?),
            None => None,
        };
        let ids = IdMaker::new(0, self.store.largest_id().await?);
        let token = NewToken::draw(wanted.role)?;
        let id: KeyId = ids.next(self.clock.now());
        let key = ApiKey {
            id,
            name: wanted.name,
            hash: token.hash.bytes(),
            role: wanted.role,
            app,
            expires_at: wanted.expires_at,
            last_used_at: None,
            revoked_at: None,
            portal: None,
        };
        self.store.create_key(key).await?;
        Ok(Made {
            id: id.to_string(),
            token: token.text,
        })
    }

    async fn application(&self, text: &str) -> anyhow::Result<AppId> {
        let unknown = || format!("there is no application `{text}`");
        let app = match text.parse() {
            Ok(id) => AppRef::Id(id),
            Err(_) => AppRef::Uid(text.parse().ok().with_context(unknown)?),
        };
        Ok(self.store.application(app).await.with_context(unknown)?.id)
    }

    pub(super) async fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = Page {
                limit: PAGE,
                order: Order::Ascending,
                after,
            };
            let listing = self.store.keys(None, page).await?;
            all.extend(listing.items.into_iter().map(listed));
            after = listing.reached;
            if listing.done || after.is_none() {
                return Ok(all);
            }
        }
    }

    pub(super) async fn revoke(&self, id: &str) -> anyhow::Result<()> {
        let unknown = || format!("there is no key `{id}`");
        let key: KeyId = id.parse().ok().with_context(unknown)?;
        self.store
            .revoke_key(key, self.clock.now())
            .await
            .with_context(unknown)
    }
}

fn listed(key: ApiKey) -> Listed {
    Listed {
        id: key.id.to_string(),
        name: key.name,
        role: key.role.to_string(),
        application: key.app.map(|app| app.to_string()),
        expires_at: key.expires_at,
        last_used_at: key.last_used_at,
        revoked: key.revoked_at.is_some(),
    }
}
