//! A line for each act that somebody may ask about later: what was done to what, and by whom; only so many a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ringbolt_delivery::LineLimit;
use ringbolt_gate::Caller;
use ringbolt_model::{ApiKey, AppId, Endpoint, EndpointId, KeyId};

/// How many lines are written in a second: portals act, too.
const LINES: u32 = 50;

/// What was done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act<'a> {
    ApplicationDeleted(AppId),
    EndpointDisabled(&'a Endpoint),
    EndpointEnabled(&'a Endpoint),
    EndpointDeleted(AppId, EndpointId),
    SecretRotated(&'a Endpoint),
    KeyMade(&'a ApiKey),
    KeyRevoked(KeyId),
}

/// Writes the lines.
pub(crate) struct Acts(LineLimit);

impl Acts {
    /// None were written yet.
    pub(crate) const fn new() -> Self {
        Self(LineLimit::new(LINES))
    }

    /// This was done: it is committed.
    pub(crate) fn done(&self, caller: Caller, act: Act<'_>) {
        let Some(left_out) = self.0.line() else {
            return;
        };
        if left_out > 0 {
            tracing::warn!(left_out, "lines about acts were left out");
        }
        line(&caller.who(), act);
    }
}

fn line(by: &str, act: Act<'_>) {
    match act {
        Act::ApplicationDeleted(app) => tracing::info!(%app, by, "application deleted"),
        Act::EndpointDisabled(Endpoint { id, app, .. }) => {
            tracing::info!(%app, endpoint = %id, reason = "manual", by, "endpoint disabled");
        }
        Act::EndpointEnabled(Endpoint { id, app, .. }) => {
            tracing::info!(%app, endpoint = %id, by, "endpoint enabled");
        }
        Act::EndpointDeleted(app, id) => {
            tracing::info!(%app, endpoint = %id, by, "endpoint deleted");
        }
        Act::SecretRotated(Endpoint { id, app, .. }) => {
            tracing::info!(%app, endpoint = %id, by, "secret rotated");
        }
        Act::KeyMade(ApiKey { id, role, app, .. }) => {
            let app = app.as_ref().map(tracing::field::display);
            tracing::info!(made = %id, %role, app, by, "API key made");
        }
        Act::KeyRevoked(id) => tracing::info!(revoked = %id, by, "API key revoked"),
    }
}

/// Whether an endpoint was disabled before it was edited.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before(Arc<AtomicBool>);

impl Before {
    /// To be called first by what edits it.
    pub(crate) fn look(&self, endpoint: &Endpoint) {
        self.0.store(endpoint.disabled.is_some(), Relaxed);
    }

    /// What the edit did, if it disabled or enabled the endpoint.
    pub(crate) fn act<'a>(&self, edited: &'a Endpoint) -> Option<Act<'a>> {
        match (self.0.load(Relaxed), edited.disabled.is_some()) {
            (false, true) => Some(Act::EndpointDisabled(edited)),
            (true, false) => Some(Act::EndpointEnabled(edited)),
            _ => None,
        }
    }
}
