//! Recovering: failed deliveries of an endpoint are made due again, in bounded steps.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::{AppId, EndpointId, MessageId, TaskId, Timestamp};
use ringbolt_store::ResendRefused;
use tracing::{info, warn};

use crate::Handle;
use crate::driver::stopped_within;
use crate::shared::Shared;

/// How many deliveries a step makes due.
const STEP: usize = 500;
/// How long a failed step waits before it is repeated.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a step is repeated.
const TRIES: usize = 60;

impl Handle {
    /// Sends a message to an endpoint again, at once.
    ///
    /// # Errors
    /// [`ResendRefused`]; nothing changed.
    pub async fn resend(
        &self,
        app: AppId,
        message: MessageId,
        endpoint: EndpointId,
    ) -> Result<(), ResendRefused> {
        let now = self.0.clock.steady();
        let due = self.0.store.resend(app, message, endpoint, now).await?;
        self.0.clone().rows(endpoint, due, true).await;
        Ok(())
    }

    /// Begins to make the failed deliveries of an endpoint due again: those of messages accepted in
    /// `since..until`. The task is named; it runs in the background and ends by itself.
    #[must_use]
    pub fn recover(&self, endpoint: EndpointId, since: Timestamp, until: Timestamp) -> TaskId {
        let shared = self.0.clone();
        self.0
            .tracker
            .spawn(async move { recover(shared, endpoint, since, until).await });
        self.new_id()
    }
}

async fn recover(shared: Arc<Shared>, endpoint: EndpointId, since: Timestamp, until: Timestamp) {
    let (mut reached, mut recovered, mut tries) = (None, 0, 0);
    loop {
        let now = shared.clock.steady();
        match shared
            .store
            .recover(endpoint, since, until, reached, STEP, now)
            .await
        {
            Ok(step) => {
                recovered += step.deliveries;
                if step.deliveries > 0 {
                    shared.clone().rows(endpoint, now, false).await;
                }
                shared
                    .workers
                    .note("recover", format!("{recovered} deliveries due again"));
                reached = step.reached;
                tries = 0;
                if reached.is_none() {
                    break;
                }
            }
            Err(error) => {
                tries += 1;
                warn!(%endpoint, %error, "a step of a recovery failed");
                if tries >= TRIES || stopped_within(&shared, PAUSE).await {
                    break;
                }
            }
        }
    }
    info!(%endpoint, recovered, "recovery ended");
}
