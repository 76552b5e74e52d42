//! Lines in the log about what becomes of messages: each step of each, or only those that give up.
//!
//! Each step is at `debug`. A delivery that gives up is at `info`, and so many a second: when a network fails,
//! there are many.

use ringbolt_engine::Change;
use ringbolt_model::{AppId, DeliveryKey, FinalReason, MessageId};
use tracing::{debug, info};

use crate::LineLimit;
use crate::transport::Tried;

/// How many lines at `info` are written in a second.
const LINES: u32 = 20;

/// Writes them.
#[derive(Debug)]
pub(crate) struct MessageLines(LineLimit);

impl Default for MessageLines {
    fn default() -> Self {
        Self(LineLimit::new(LINES))
    }
}

impl MessageLines {
    /// A message is on disk, or was already.
    pub(crate) fn accepted(app: AppId, message: MessageId, endpoints: usize, repeated: bool) {
        debug!(%app, msg = %message, endpoints, repeated, "a message was accepted");
    }

    /// A delivery was tried.
    pub(crate) fn tried(&self, app: AppId, delivery: DeliveryKey, tried: &Tried, then: Change) {
        let DeliveryKey { message, endpoint } = delivery;
        let status = tried.status;
        let failure = tried.failure.map_or("none", |failure| failure.as_str());
        debug!(%app, msg = %message, %endpoint, status, failure, ?then, "a delivery was tried");
        let Change::Failed(FinalReason::Exhausted | FinalReason::Expired) = then else {
            return;
        };
        let Some(left_out) = self.0.line() else {
            return;
        };
        if left_out > 0 {
            info!(
                left_out,
                "lines about deliveries that gave up were left out"
            );
        }
        info!(%app, msg = %message, %endpoint, status, failure, "a delivery has failed: no try is left");
    }
}
