//! Doing what the engine wants done.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ringbolt_engine::{Action, Input, Start};
use ringbolt_model::endpoint::Failing;
use ringbolt_model::{AppId, DeliveryKey, DisableReason, Endpoint, EndpointId, Timestamp, Trigger};
use ringbolt_store::{AppRef, Spill, StoreError, Write};
use tracing::{error, info, warn};

use crate::driver::stopped_within;
use crate::mind::{Actions, HeldBack};
use crate::shared::{Shared, target};

/// When an endpoint that could not be read is asked for again.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// While more outcomes than this wait to be written, no attempt begins: what is delivered but not
/// written is delivered again after a crash.
const MOST_UNWRITTEN: usize = 16_384;

impl Shared {
    /// Does what the engine wants done.
    pub(crate) fn perform(self: &Arc<Self>, actions: Actions) {
        let Actions { generation, all } = actions;
        for action in all {
            match action {
                Action::Start(start) => self.begin(generation, start),
                other => self.perform_rare(generation, other),
            }
        }
    }

    /// Begins an attempt in a task of its own, unless it has to wait.
    pub(crate) fn begin(self: &Arc<Self>, generation: u32, start: Start) {
        if self.soft.is_cancelled() {
            return;
        }
        if self.may_begin() {
            self.tracker.spawn(self.clone().attempts(generation, start));
        } else {
            self.hold_back(generation, start);
        }
    }

    /// Keeps an attempt until it may begin; the driver will look.
    pub(crate) fn hold_back(&self, generation: u32, start: Start) {
        let held = HeldBack { generation, start };
        self.held_back.lock().push_back(held);
        self.wake.notify_one();
    }

    /// Whether the store keeps up with the outcomes of attempts, and what this node has is its own.
    pub(crate) fn may_begin(&self) -> bool {
        self.unwritten.load(Relaxed) < MOST_UNWRITTEN && self.store.may_send()
    }

    /// Begins what had been held back, as far as it may.
    pub(crate) fn begin_held_back(self: &Arc<Self>) {
        while self.may_begin() {
            let Some(HeldBack { generation, start }) = self.held_back.lock().pop_front() else {
                return;
            };
            self.begin(generation, start);
        }
    }

    fn perform_rare(self: &Arc<Self>, generation: u32, action: Action) {
        let this = self.clone();
        match action {
            Action::Start(start) => self.begin(generation, start),
            Action::Load {
                endpoint,
                limit,
                bytes,
                ..
            } => {
                self.tracker
                    .spawn(async move { this.load(generation, endpoint, limit, bytes).await });
            }
            // Rows of a deleted endpoint count as cancelled, so both end the open mark alike.
            Action::Spill { deliveries } | Action::Cancel { deliveries } => self.spill(deliveries),
            Action::Disable {
                endpoint,
                app,
                reason,
            } => {
                self.tracker
                    .spawn(async move { this.disable(app, endpoint, reason).await });
            }
            Action::Health {
                endpoint,
                app,
                failing,
            } => {
                self.tracker
                    .spawn(async move { this.keep_failing(app, endpoint, failing).await });
            }
            Action::Breaker {
                endpoint,
                app,
                open,
            } => self.breaker_lines.tell(app, endpoint, open),
            Action::Warn {
                endpoint,
                app,
                percent,
                failing,
            } => {
                self.metrics.warned();
                warn!(%app, %endpoint, percent, since = %failing.since, "endpoint keeps failing and will be disabled");
            }
        }
    }

    pub(crate) fn spill(&self, deliveries: Vec<DeliveryKey>) {
        let (due, trigger) = (self.clock.steady(), Trigger::Scheduled);
        let spill = Spill {
            deliveries,
            due,
            trigger,
        };
        if self.store.submit(Write::Spill(spill)).is_err() {
            error!("the store refused a spill; the deliveries come back at the next start");
        }
    }

    async fn load(
        self: Arc<Self>,
        generation: u32,
        endpoint: EndpointId,
        limit: usize,
        bytes: usize,
    ) {
        if self.soft.is_cancelled() {
            return;
        }
        let now = self.clock.steady();
        let input = match self.store.due(endpoint, now, limit, bytes).await {
            Ok(page) => {
                self.metrics.page_read(page.deliveries.len());
                let (next_due, more) = (page.next_due, page.more);
                let deliveries = page.deliveries.into_iter().map(into_engine).collect();
                Input::Loaded {
                    endpoint,
                    deliveries,
                    next_due,
                    more,
                }
            }
            Err(error) => {
                warn!(%endpoint, %error, "due deliveries could not be read");
                Input::LoadFailed { endpoint }
            }
        };
        self.tell_of(generation, input);
    }

    async fn disable(self: Arc<Self>, app: AppId, endpoint: EndpointId, reason: DisableReason) {
        match self
            .store
            .disable_endpoint(endpoint, reason, self.clock.now())
            .await
        {
            Ok(true) => {
                self.metrics.disabled();
                info!(%app, %endpoint, reason = reason.as_str(), "endpoint disabled");
            }
            Ok(false) => {}
            Err(error) => warn!(%app, %endpoint, %error, "endpoint could not be disabled"),
        }
        // What somebody read before this must not be told after it.
        self.changes.note(endpoint.raw(), || {});
        self.reconfigure(endpoint).await;
    }

    /// Tells the lane of an endpoint what the store says of it.
    pub(crate) async fn reconfigure(self: &Arc<Self>, endpoint: EndpointId) {
        self.transport.forget(endpoint);
        self.tell_of_endpoint(endpoint, |endpoint| self.configure(endpoint))
            .await;
    }

    /// Tells the lane of an endpoint that it has rows which are due.
    pub(crate) async fn rows(self: Arc<Self>, endpoint: EndpointId, due: Timestamp, manual: bool) {
        self.tell_of_endpoint(endpoint, |endpoint| self.stored(endpoint, due, manual))
            .await;
    }

    /// Tells the engine of an endpoint as it was committed last, or that it is gone. What cannot be read
    /// now is asked for again until it can be.
    async fn tell_of_endpoint(
        self: &Arc<Self>,
        id: EndpointId,
        tell: impl Fn(&Endpoint) + Send + Sync,
    ) {
        let read = || async {
            let found = self.store.destination(id).await?;
            // A lane that is told to begin has to obey its application's rate.
            match self.know_rate(found.endpoint.app).await {
                Ok(()) | Err(StoreError::NotFound) => Ok(found),
                Err(error) => Err(error),
            }
        };
        loop {
            let told = self.changes.tell_last(id.raw(), read, |found| match found {
                Ok(destination) => {
                    tell(&destination.endpoint);
                    Ok(())
                }
                Err(StoreError::NotFound) => {
                    self.tell(Input::Remove { endpoint: id });
                    Ok(())
                }
                Err(error) => Err(error),
            });
            let Err(error) = told.await else { return };
            warn!(endpoint = %id, %error, "endpoint could not be read; trying again");
            if stopped_within(self, READ_AGAIN).await {
                return;
            }
        }
    }

    /// Tells the engine the rate of an application, unless it knows it.
    pub(crate) async fn know_rate(self: &Arc<Self>, app: AppId) -> Result<(), StoreError> {
        if self.rated.lock().contains_key(&app) {
            return Ok(());
        }
        self.tell_rate(app).await
    }

    /// Tells the engine the rate of an application that was changed. What cannot be read now is asked for
    /// again until it can be.
    pub(crate) async fn rate_again(self: &Arc<Self>, app: AppId) {
        while let Err(error) = self.tell_rate(app).await {
            if error == StoreError::NotFound {
                return;
            }
            warn!(%app, %error, "application could not be read; trying again");
            if stopped_within(self, READ_AGAIN).await {
                return;
            }
        }
    }

    async fn tell_rate(self: &Arc<Self>, app: AppId) -> Result<(), StoreError> {
        let read = || self.store.application(AppRef::Id(app));
        let told = self.changes.tell_last(app.raw(), read, |found| {
            found.map(|application| self.rate(&application))
        });
        told.await
    }

    /// Tells the lane of an endpoint its settings.
    pub(crate) fn configure(self: &Arc<Self>, endpoint: &Endpoint) {
        self.routing.endpoint_changed(endpoint.app, endpoint.id);
        self.tell(Input::Configure {
            target: target(endpoint),
        });
    }

    async fn keep_failing(
        self: Arc<Self>,
        app: AppId,
        endpoint: EndpointId,
        failing: Option<Failing>,
    ) {
        if let Err(error) = self.store.keep_failing(endpoint, failing).await {
            warn!(%app, %endpoint, %error, "the health of an endpoint could not be kept");
        }
        // A lane that was forgotten is made anew from what its routes say of it.
        self.routing.endpoint_changed(app, endpoint);
    }
}

fn into_engine(stored: ringbolt_store::StoredDelivery) -> ringbolt_engine::StoredDelivery {
    ringbolt_engine::StoredDelivery {
        message: stored.message,
        attempts: stored.attempts,
        trigger: stored.trigger,
    }
}
