//! A line in the log for each breaker that opens or closes, but only so many a second: when a network
//! fails, all of them open.

use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_model::{AppId, EndpointId};
use tokio::time::Instant;
use tracing::info;

/// How many lines are written in a second.
const LINES: u32 = 20;

/// Writes them.
#[derive(Debug, Default)]
pub(crate) struct BreakerLines(Mutex<Window>);

impl BreakerLines {
    /// The breaker of a lane has opened or closed.
    pub(crate) fn tell(&self, app: AppId, endpoint: EndpointId, open: bool) {
        let Some(left_out) = self.0.lock().line(Instant::now()) else {
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

/// The second that runs.
#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Window {
    /// Takes a line of this second: how many were left out before it, or nothing if it is to be left out.
    fn line(&mut self, now: Instant) -> Option<u64> {
        let lasts = |began: Instant| now.duration_since(began) < Duration::from_secs(1);
        if !self.began.is_some_and(lasts) {
            self.began = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_all_breakers_open_at_once_most_are_counted_instead_of_written() {
        let (mut window, began) = (Window::default(), Instant::now());
        let written = (0..1000).filter(|_| window.line(began).is_some()).count();
        assert_eq!(written, 20);
        let later = began + Duration::from_secs(1);
        assert_eq!(window.line(later), Some(980));
        assert_eq!(window.line(later), Some(0));
    }
}
