//! Attempts: a delivery is tried, the engine decides, the outcome goes to the store.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use ringbolt_engine::{Action, Change, Decision, Start};
use ringbolt_model::Attempt;
use ringbolt_store::{Outcome, Settled, Write};
use tracing::error;

use crate::shared::Shared;
use crate::transport::Tried;

impl Shared {
    /// Makes an attempt, and then those that its end allows to start, one after the other; further
    /// ones get tasks of their own.
    pub(crate) async fn attempts(self: Arc<Self>, first: Start) {
        let mut next = Some(first);
        while let Some(start) = next.take() {
            if self.soft.is_cancelled() {
                return;
            }
            let tried = self
                .transport
                .attempt(&start.message, start.delivery.endpoint)
                .await;
            next = self.finish(start, tried);
        }
    }

    fn finish(self: &Arc<Self>, start: Start, tried: Tried) -> Option<Start> {
        let (decision, actions) =
            self.turn(|engine, now, out| engine.finished(now, start.delivery, tried.verdict, out));
        self.metrics.finished(&tried, &decision);
        if tried.missing {
            let (this, endpoint) = (self.clone(), start.delivery.endpoint);
            self.tracker
                .spawn(async move { this.reconfigure(endpoint).await });
        }
        self.message_lines
            .tried(start.message.app, start.delivery, &tried, decision.change);
        self.write(&start, tried, decision);
        self.one_of(actions)
    }

    fn write(&self, start: &Start, tried: Tried, decision: Decision) {
        let attempt = Attempt {
            id: self.ids.next(self.clock.now()),
            app: start.message.app,
            delivery: start.delivery,
            trigger: start.trigger,
            at: tried.at,
            url: tried.url,
            address: tried.address,
            status: tried.status,
            failure: tried.failure,
            detail: tried.detail,
            headers: tried.headers,
            body: tried.body,
            timings: tried.timings,
        };
        let outcome = Outcome {
            attempt,
            fresh: decision.fresh,
            settled: settled(decision.change),
        };
        self.unwritten.fetch_add(1, Relaxed);
        if self.store.submit(Write::Outcome(outcome)).is_err() {
            self.unwritten.fetch_sub(1, Relaxed);
            error!(delivery = ?start.delivery, "the store refused an outcome; the message will arrive again");
        }
    }

    /// Does what the engine wants done, but for one start, which is given back.
    fn one_of(self: &Arc<Self>, mut actions: Vec<Action>) -> Option<Start> {
        let own = actions
            .iter()
            .position(|action| matches!(action, Action::Start(_)));
        let own = own.map(|index| actions.remove(index));
        self.perform(actions);
        match own {
            Some(Action::Start(start)) if self.may_begin() => Some(start),
            Some(Action::Start(start)) => {
                self.begin(start);
                None
            }
            _ => None,
        }
    }
}

fn settled(change: Change) -> Settled {
    match change {
        Change::Delivered => Settled::Delivered,
        Change::Retry { at, attempts } => Settled::Retry { at, attempts },
        Change::Failed(reason) => Settled::Failed(reason),
        Change::Waits => Settled::Waits,
        Change::Cancelled => Settled::Cancelled,
    }
}
