//! A line in the log for each breaker that opens or closes, but only so many a second: when a network
//! fails, all of them open.

use ringbolt_model::{AppId, EndpointId};
use tracing::info;

use crate::LineLimit;

/// How many lines are written in a second.
const LINES: u32 = 20;

/// Writes them.
#[derive(Debug)]
pub(crate) struct BreakerLines(LineLimit);

impl Default for BreakerLines {
    fn default() -> Self {
        Self(LineLimit::new(LINES))
    }
}

impl BreakerLines {
    /// The breaker of a lane has opened or closed.
    pub(crate) fn tell(&self, app: AppId, endpoint: EndpointId, open: bool) {
        let Some(left_out) = self.0.line() else {
            return;
        };
        if left_out > 0 {
            info!(left_out, "lines about breakers were left out");
        }
        if open {
            info!(%app, %endpoint, "breaker opened: attempts fail, so only probes are sent");
        } else {
            info!(%app, %endpoint, "breaker closed: attempts go on");
        }
    }
}
