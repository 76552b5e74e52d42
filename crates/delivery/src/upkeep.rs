//! The upkeep worker: tidies the store in small steps, and closes what has been idle too long.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ringbolt_model::Timestamp;
use ringbolt_store::StoreError;
use tracing::{debug, info, warn};

use crate::driver::stopped_within;
use crate::shared::Shared;

/// How long it rests when nothing is left to do.
const REST: Duration = Duration::from_secs(5);
/// How long it rests between steps while more is to be done, so that traffic goes first.
const BREATH: Duration = Duration::from_millis(20);

/// How often a failure is logged that lasts.
const REMIND_EVERY: Duration = Duration::from_secs(600);

/// How often the pending deliveries in the store are counted.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// Runs until the driver stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    reencrypt(&shared).await;
    let mut count_at = shared.clock.steady();
    let mut trouble = Trouble::default();
    loop {
        shared.transport.sweep();
        if shared.clock.steady() >= count_at {
            count(&shared).await;
            count_at = shared.clock.steady() + COUNT_EVERY;
        }
        let rest = match shared.store.tidy(shared.clock.now()).await {
            Ok(tidied) => {
                if trouble.ended() {
                    info!("the store can be tidied again");
                }
                if tidied.expired > 0 {
                    warn!(
                        deliveries = tidied.expired,
                        "deliveries expired before they were delivered"
                    );
                    shared.metrics.expired(tidied.expired);
                }
                shared
                    .workers
                    .note("upkeep", if tidied.more { "tidying" } else { "resting" });
                if tidied.more { BREATH } else { REST }
            }
            Err(error) => {
                if trouble.is_news(shared.clock.steady()) {
                    warn!(%error, "the store could not be tidied");
                }
                shared.workers.note("upkeep", "failed, see the log");
                REST
            }
        };
        if stopped_within(&shared, rest).await {
            shared.workers.note("upkeep", "stopped");
            return;
        }
    }
}

/// A failure that may last: it is logged when it begins, then rarely, and when it ends.
#[derive(Debug, Default)]
struct Trouble {
    logged_at: Option<Timestamp>,
}

impl Trouble {
    /// It failed: whether that is to be logged.
    fn is_news(&mut self, now: Timestamp) -> bool {
        let news = self.logged_at.is_none_or(|at| now >= at + REMIND_EVERY);
        if news {
            self.logged_at = Some(now);
        }
        news
    }

    /// It went well: whether it had failed before.
    const fn ended(&mut self) -> bool {
        self.logged_at.take().is_some()
    }
}

async fn count(shared: &Shared) {
    if let Ok(pending) = shared.store.pending().await {
        shared.pending.store(pending, Relaxed);
    }
}

/// After a start with a new encryption key in front: what the older ones encrypted is encrypted anew.
async fn reencrypt(shared: &Shared) {
    let mut anew = false;
    loop {
        let mut rest = BREATH;
        match shared.store.reencrypt().await {
            Ok(0) if anew => {
                info!("everything is encrypted with the first key");
                return;
            }
            Ok(0) => {
                debug!("nothing was encrypted with an older key");
                return;
            }
            Ok(left) => {
                anew = true;
                shared
                    .workers
                    .note("upkeep", format!("encrypting anew, {left} to do"));
            }
            Err(StoreError::Full | StoreError::Unavailable(_)) => {
                shared.workers.note("upkeep", "waiting for the store");
                rest = REST;
            }
            Err(error) => {
                warn!(%error, "not everything could be encrypted anew; the next start tries again");
                return;
            }
        }
        if stopped_within(shared, rest).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_lasts_is_logged_when_it_begins_then_rarely_and_when_it_ends() {
        let began = Timestamp::from_micros(1_000_000);
        let mut trouble = Trouble::default();
        assert!(!trouble.ended(), "nothing was wrong");
        let an_hour_of_failures = (0..720).filter(|n| trouble.is_news(began + REST * *n));
        assert_eq!(an_hour_of_failures.count(), 6);
        assert!(trouble.ended() && !trouble.ended());
        assert!(trouble.is_news(began), "the next one is news at once");
    }
}
