//! Store, machine and API, put together and taken down again.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_api::Api;
use ringbolt_delivery::{Driver, Handle};
use ringbolt_model::Clock;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::first_start::{self, AdminToken, Secrets};
use crate::front::Inbound;
use crate::kept::Kept;
use crate::server::Watch;
use crate::wiring;

/// How often it is noted when API keys were last used.
const NOTE_USES: Duration = Duration::from_secs(60);

/// How long to wait after a revocation could not be written.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// Everything behind the door.
pub(crate) struct House {
    store: Kept,
    handle: Handle,
    driver: Driver,
    api: Api,
    admin_token: AdminToken,
    background: TaskTracker,
    closing: CancellationToken,
}

impl House {
    /// Opens the store, makes the admin token if there is none, and starts the machine.
    ///
    /// # Errors
    /// If the store cannot be opened, the token not be made, or a setting not be used.
    pub(crate) async fn open(
        config: &Config,
        secrets: &Secrets,
        clock: Arc<dyn Clock>,
        public_url: String,
    ) -> anyhow::Result<Self> {
        let settings = wiring::driver(config)?;
        let store = Kept::open(config, secrets, Arc::clone(&clock)).await?;
        let admin_token = first_start::admin_token(config)?;
        let (handle, driver) = ringbolt_delivery::start(settings, store.store(), clock).await?;
        let api = Api::new(
            wiring::api(config, &admin_token.token, public_url),
            handle.clone(),
        )?;
        let (background, closing) = (TaskTracker::new(), CancellationToken::new());
        background.spawn(note_uses(api.clone(), handle.clone(), closing.clone()));
        background.spawn(write_revocations(
            api.clone(),
            handle.clone(),
            closing.clone(),
        ));
        Ok(Self {
            store,
            handle,
            driver,
            api,
            admin_token,
            background,
            closing,
        })
    }

    /// Operators see the door's tasks among the workers.
    pub(crate) fn show(&self, door: Watch) {
        let sweep = door.clone();
        self.handle.ask_worker(DOOR, move || door.accepting());
        self.handle.ask_worker(SWEEP, move || sweep.sweeping());
    }

    /// The token in force.
    pub(crate) const fn admin_token(&self) -> &AdminToken {
        &self.admin_token
    }

    /// What answers requests.
    pub(crate) fn front(&self, config: &Config) -> Inbound {
        Inbound::new(&self.api, config.general.trusted_proxies.clone())
    }

    /// Ends everything, the store last. No request may come any more.
    pub(crate) async fn close(self, grace: Duration) {
        let end = Instant::now() + grace;
        self.closing.cancel();
        self.background.close();
        // Changes that were begun are short; they end before the machine that they tell of them.
        if timeout(grace, self.api.finish()).await.is_err() {
            tracing::warn!("changes were cut off");
        }
        self.background.wait().await;
        self.driver
            .stop(end.saturating_duration_since(Instant::now()))
            .await;
        self.store.close().await;
    }
}

/// The names by which operators know the workers here.
const KEY_USES: &str = "key-uses";
const REVOCATIONS: &str = "revocations";
const DOOR: &str = "door";
const SWEEP: &str = "door-sweep";

const RESTING: &str = "resting";
const STOPPED: &str = "stopped";

async fn note_uses(api: Api, handle: Handle, closing: CancellationToken) {
    let mut minutes = interval(NOTE_USES);
    loop {
        let last = tokio::select! {
            () = closing.cancelled() => true,
            _ = minutes.tick() => false,
        };
        let mut state = if last { STOPPED } else { RESTING };
        if let Err(why) = api.note_uses().await {
            tracing::warn!(error = %why, "when API keys were last used could not be noted");
            state = "failed, see the log";
        }
        handle.note_worker(KEY_USES, state);
        if last {
            return;
        }
    }
}

/// Writes revocations that could not be written when they were asked for.
async fn write_revocations(api: Api, handle: Handle, closing: CancellationToken) {
    loop {
        handle.note_worker(REVOCATIONS, RESTING);
        let mut last = tokio::select! {
            () = closing.cancelled() => true,
            () = api.revocation_failed() => false,
        };
        while let Err(why) = api.write_revocations().await {
            if last {
                tracing::error!(error = %why, "keys that were revoked work again after the next start: revoke them then");
                return;
            }
            handle.note_worker(REVOCATIONS, "waiting for the store");
            last = timeout(WRITE_AGAIN, closing.cancelled()).await.is_ok();
        }
        if last {
            handle.note_worker(REVOCATIONS, STOPPED);
            return;
        }
    }
}
