//! The driver: it takes the store's receipts and the engine's timers, and keeps the house in order.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ringbolt_engine::Input;
use ringbolt_model::{Clock, Timestamp};
use ringbolt_store::{Accepted, Receipt, Settled, Store, StoreError};
use tracing::{info, warn};

use crate::shared::Shared;
use crate::upkeep;

/// The longest sleep of the driver; it wakes earlier for receipts and timers.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// How long a start waits before it asks the store again.
const AGAIN: Duration = Duration::from_secs(1);

/// The running machine; [`crate::start`] makes it.
pub struct Driver {
    shared: Arc<Shared>,
}

impl Driver {
    pub(crate) fn run(shared: Arc<Shared>, inherited: Inherited) -> Self {
        listen(&shared);
        shared.tracker.spawn(drive(shared.clone()));
        shared.tracker.spawn(bring_back(shared.clone(), inherited));
        shared.tracker.spawn(upkeep::run(shared.clone()));
        Self { shared }
    }

    /// Lets attempts in flight end, for `grace` at most. What is left stays in the store. Senders get
    /// no answer any more that says taken, once this was called.
    pub async fn stop(self, grace: Duration) {
        let shared = self.shared;
        shared.stopping.store(true, Relaxed);
        shared.soft.cancel();
        shared.wake.notify_one();
        shared.tracker.close();
        if tokio::time::timeout(grace, shared.tracker.wait())
            .await
            .is_err()
        {
            warn!(
                attempts = shared.tracker.len(),
                "attempts were cut off; they are made again at the next start"
            );
        }
        info!("stopped");
    }
}

fn listen(shared: &Arc<Shared>) {
    let weak = Arc::downgrade(shared);
    shared.store.listen(Box::new(move |receipts| {
        if let Some(shared) = weak.upgrade() {
            shared.receipts.lock().extend(receipts);
            shared.wake.notify_one();
        }
    }));
}

/// Turns receipts and timers into turns of the engine, until everything has ended.
async fn drive(shared: Arc<Shared>) {
    shared.workers.note("driver", "running");
    loop {
        let receipts = std::mem::take(&mut *shared.receipts.lock());
        if receipts.is_empty() {
            shared.tell(Input::Wake);
            if shared.stopping() && shared.unwritten.load(Relaxed) == 0 {
                break;
            }
            sleep(&shared).await;
        } else {
            take(&shared, receipts);
        }
    }
    shared.workers.note("driver", "stopped");
}

async fn sleep(shared: &Shared) {
    // First of all: a timer that is set between the look and the sleep has to be heard of.
    shared.wakes_at.store(i64::MAX, Relaxed);
    let now = shared.clock.steady();
    let wake = shared
        .look(|engine| engine.next_wake())
        .unwrap_or(Timestamp::FAR_FUTURE);
    let wake = wake.min(now + LONGEST_SLEEP);
    shared.wakes_at.store(wake.as_micros(), Relaxed);
    let _timeout = tokio::time::timeout(wake.since(now), shared.wake.notified()).await;
    shared.wakes_at.store(i64::MIN, Relaxed);
}

/// One turn of the engine for all receipts of a transaction: senders are answered, deliveries start.
fn take(shared: &Arc<Shared>, receipts: Vec<Receipt>) {
    let mut answers = Vec::with_capacity(receipts.len());
    let ((), actions) = shared.turn(|engine, now, out| {
        for receipt in receipts {
            for input in inputs(shared, receipt, &mut answers) {
                engine.handle(now, input, out);
            }
        }
    });
    for (ticket, answer) in answers {
        shared.waiters.answer(ticket, answer);
    }
    shared.perform(actions);
    shared.begin_held_back();
}

type Answers = Vec<(u64, crate::accept::Answer)>;

fn inputs(
    shared: &Arc<Shared>,
    receipt: Receipt,
    answers: &mut Answers,
) -> smallvec::SmallVec<[Input; 2]> {
    let mut inputs = smallvec::SmallVec::new();
    match receipt {
        Receipt::Accept(accept, result) => {
            let new = matches!(result, Ok(Accepted::New));
            answers.push((accept.ticket, result));
            accepted(shared, accept, new, &mut inputs);
        }
        Receipt::Outcome {
            delivery,
            fresh,
            settled,
        } => {
            shared.unwritten.fetch_sub(1, Relaxed);
            if !fresh || matches!(settled, Settled::Retry { .. }) {
                inputs.push(Input::Recorded { delivery });
            }
        }
        // Whoever has taken it over will see to it.
        Receipt::Disowned { delivery } => {
            shared.unwritten.fetch_sub(1, Relaxed);
            inputs.push(Input::Recorded { delivery });
        }
        Receipt::Spill(spill) => {
            let endpoints: HashSet<_> = spill.deliveries.iter().map(|d| d.endpoint).collect();
            for endpoint in endpoints {
                let rows = shared.clone().rows(endpoint, spill.due, false);
                shared.tracker.spawn(rows);
            }
        }
    }
    inputs
}

fn accepted(
    shared: &Shared,
    accept: ringbolt_store::Accept,
    new: bool,
    inputs: &mut smallvec::SmallVec<[Input; 2]>,
) {
    if !new {
        let (fresh, stored) = (accept.fresh, accept.stored);
        inputs.push(Input::Abandoned {
            message: accept.message.id,
            fresh,
            stored,
        });
        return;
    }
    let took = shared.clock.steady().since(accept.due);
    let owed = accept.fresh.len() + accept.stored.len();
    shared.metrics.accepted(owed, took);
    let (message, fresh, stored) = (accept.message, accept.fresh, accept.stored);
    inputs.push(Input::Committed {
        message,
        fresh,
        stored,
    });
}

/// What has become of the deliveries that were in memory when the last process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inherited {
    /// They have rows.
    Stored,
    /// The disk is full: they get rows when there is space.
    Unwritten,
}

/// Gives rows to the deliveries that were in memory when the last process ended.
pub(crate) async fn reopen(store: &dyn Store, clock: &dyn Clock) -> Result<(), StoreError> {
    let deliveries = store.reopen(clock.steady()).await?;
    if deliveries > 0 {
        info!(
            deliveries,
            "deliveries that were in memory at the last stop are due again"
        );
    }
    Ok(())
}

/// The same, until it is done; says whether it was before the driver was stopped.
async fn reopen_at_last(shared: &Shared) -> bool {
    shared
        .workers
        .note("start-up", "waiting for space on the disk");
    while let Err(error) = reopen(&*shared.store, &*shared.clock).await {
        if !matches!(error, StoreError::Full | StoreError::Unavailable(_)) {
            tracing::error!(%error, "deliveries that were in memory at the last stop stay where they are");
            return true;
        }
        if stopped_within(shared, AGAIN).await {
            return false;
        }
    }
    true
}

/// After a start: every endpoint with rows in the store gets its lane back.
async fn bring_back(shared: Arc<Shared>, inherited: Inherited) {
    if inherited == Inherited::Unwritten && !reopen_at_last(&shared).await {
        return;
    }
    let work = loop {
        match shared.store.lanes_with_work().await {
            Ok(work) => break work,
            Err(error) => {
                warn!(%error, "waiting deliveries could not be read; trying again");
                if stopped_within(&shared, AGAIN).await {
                    return;
                }
            }
        }
    };
    for (done, lane) in work.iter().enumerate() {
        if shared.soft.is_cancelled() {
            return;
        }
        shared.clone().rows(lane.endpoint, lane.due, false).await;
        shared.workers.note(
            "start-up",
            format!("{} of {} lanes are back", done + 1, work.len()),
        );
    }
    shared
        .workers
        .note("start-up", format!("done: {} lanes had work", work.len()));
}

/// Waits; says whether the driver was stopped meanwhile.
pub(crate) async fn stopped_within(shared: &Shared, span: Duration) -> bool {
    tokio::time::timeout(span, shared.soft.cancelled())
        .await
        .is_ok()
}
