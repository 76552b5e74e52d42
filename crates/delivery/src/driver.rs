//! The driver: it takes the store's receipts and the engine's timers, and keeps the house in order.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ringbolt_engine::Input;
use ringbolt_model::{Clock, DeliveryKey, Timestamp};
use ringbolt_store::{Accept, Accepted, Receipt, Settled, Store, StoreError};
use tracing::{info, warn};

use crate::load::Reporter;
use crate::shared::Shared;
use crate::{news, upkeep, waiters};

/// How often the lease is looked at while attempts wait for it.
const LEASE_AGAIN: Duration = Duration::from_millis(100);
/// How long a start waits before it asks the store again.
const AGAIN: Duration = Duration::from_secs(1);

/// The running machine; [`crate::start`] makes it.
pub struct Driver {
    shared: Arc<Shared>,
}

impl Driver {
    pub(crate) fn run(shared: Arc<Shared>, inherited: Inherited) -> Self {
        listen(&shared);
        news::hear(&shared);
        shared.tracker.spawn(drive(shared.clone()));
        shared.tracker.spawn(news::run(shared.clone()));
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
        let ended = tokio::time::timeout(grace, shared.tracker.wait()).await;
        if ended.is_err() {
            warn!(
                attempts = shared.tracker.len(),
                "attempts were cut off; they are made again at the next start"
            );
        } else if let Err(error) = shared.store.leave().await {
            warn!(%error, "others take over only when the lease of this node has run out");
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
    let mut reporter = Reporter::default();
    loop {
        let receipts = std::mem::take(&mut *shared.receipts.lock());
        let rest = reporter.report(&shared);
        if receipts.is_empty() {
            shared.tell(Input::Wake);
            shared.begin_held_back();
            if shared.stopping() && shared.unwritten.load(Relaxed) == 0 {
                break;
            }
            sleep(&shared, rest).await;
        } else {
            take(&shared, receipts);
        }
    }
    shared.workers.note("driver", "stopped");
}

async fn sleep(shared: &Shared, longest: Duration) {
    // First of all: a timer that is set between the look and the sleep has to be heard of.
    shared.wakes_at.store(i64::MAX, Relaxed);
    let now = shared.clock.steady();
    let wake = shared
        .look(|engine| engine.next_wake())
        .unwrap_or(Timestamp::FAR_FUTURE);
    let held = !shared.held_back.lock().is_empty() && !shared.store.may_send();
    let longest = if held { LEASE_AGAIN } else { longest };
    let wake = wake.min(now + longest);
    shared.wakes_at.store(wake.as_micros(), Relaxed);
    let _timeout = tokio::time::timeout(wake.since(now), shared.wake.notified()).await;
    shared.wakes_at.store(i64::MIN, Relaxed);
}

/// What is to be done after the turn of the engine in which receipts were looked at.
#[derive(Default)]
struct Then {
    /// Who waits is answered.
    answers: Vec<(u64, crate::accept::Answer)>,
    /// Messages that were accepted, of which the engine of now knows nothing.
    orphans: Vec<Accept>,
}

/// One turn of the engine for all receipts of a transaction: senders are answered, deliveries start.
fn take(shared: &Arc<Shared>, receipts: Vec<Receipt>) {
    let mut then = Then::default();
    let ((), actions) = shared.turn(|engine, now, out| {
        for receipt in receipts {
            if let Some(input) = input(shared, receipt, &mut then) {
                engine.handle(now, input, out);
            }
        }
    });
    for (ticket, answer) in then.answers {
        shared.waiters.answer(ticket, answer);
    }
    shared.perform(actions);
    for orphan in then.orphans {
        give_rows(shared, orphan);
    }
    shared.begin_held_back();
}

fn input(shared: &Arc<Shared>, receipt: Receipt, then: &mut Then) -> Option<Input> {
    match receipt {
        Receipt::Accept(accept, result) => {
            let new = matches!(result, Ok(Accepted::New));
            then.answers.push((accept.ticket, result));
            accepted(shared, accept, new, then)
        }
        Receipt::Outcome {
            delivery,
            fresh,
            settled,
        } => {
            shared.unwritten.fetch_sub(1, Relaxed);
            let told = !fresh || matches!(settled, Settled::Retry { .. });
            told.then_some(Input::Recorded { delivery })
        }
        // Whoever has taken it over will see to it.
        Receipt::Disowned { delivery } => {
            shared.unwritten.fetch_sub(1, Relaxed);
            Some(Input::Recorded { delivery })
        }
        Receipt::Spill(spill) => {
            let endpoints: HashSet<_> = spill.deliveries.iter().map(|d| d.endpoint).collect();
            for endpoint in endpoints {
                let rows = shared.clone().rows(endpoint, spill.due, false);
                shared.tracker.spawn(rows);
            }
            None
        }
    }
}

fn accepted(shared: &Shared, accept: Accept, new: bool, then: &mut Then) -> Option<Input> {
    if new {
        let took = shared.clock.steady().since(accept.due);
        let owed = accept.fresh.len() + accept.stored.len();
        shared.metrics.accepted(owed, took);
    }
    if waiters::generation(accept.ticket) != shared.generation() {
        then.orphans.extend(Some(accept).filter(|_| new));
        return None;
    }
    let (message, fresh, stored) = (accept.message, accept.fresh, accept.stored);
    Some(match new {
        true => Input::Committed {
            message,
            fresh,
            stored,
        },
        false => Input::Abandoned {
            message: message.id,
            fresh,
            stored,
        },
    })
}

/// A message was admitted by an engine that is not there any more, and yet accepted: what is owed of it gets
/// rows, unless others have it already. The store knows.
fn give_rows(shared: &Arc<Shared>, accept: Accept) {
    let message = accept.message.id;
    for endpoint in accept.fresh {
        shared.spill(vec![DeliveryKey { message, endpoint }]);
    }
    for endpoint in accept.stored {
        let rows = shared.clone().rows(endpoint, accept.due, false);
        shared.tracker.spawn(rows);
    }
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
    if inherited == Inherited::Stored || reopen_at_last(&shared).await {
        lanes_back(shared).await;
    }
}

/// Every endpoint with rows in the store gets its lane back.
pub(crate) async fn lanes_back(shared: Arc<Shared>) {
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
