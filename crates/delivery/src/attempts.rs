//! Attempts: a delivery is tried, the engine decides, the outcome goes to the store.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use ringbolt_engine::{Action, Change, Decision, Start};
use ringbolt_model::Attempt;
use ringbolt_store::{Outcome, Settled, Write};
use tracing::error;

use crate::mind::Actions;
use crate::shared::Shared;
use crate::transport::Tried;

impl Shared {
    /// Makes an attempt, and then those that its end allows to start, one after the other; further
    /// ones get tasks of their own.
    pub(crate) async fn attempts(self: Arc<Self>, generation: u32, first: Start) {
        let mut next = Some(first);
        while let Some(start) = next.take() {
            if self.soft.is_cancelled() || generation != self.generation() {
                return;
            }
            if !self.may_begin() {
                return self.hold_back(generation, start);
            }
            let tried = self
                .transport
                .attempt(&start.message, start.delivery.endpoint)
                .await;
            next = self.finish(generation, start, tried);
        }
    }

    /// What came of it. Nothing, if the delivery has become others' meanwhile: they will try it, too.
    fn finish(self: &Arc<Self>, generation: u32, start: Start, tried: Tried) -> Option<Start> {
        let finished = self.turn_of(generation, |engine, now, out| {
            engine.finished(now, start.delivery, tried.verdict, out)
        });
        let (decision, actions) = finished?;
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
            id: self.new_id(),
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
    fn one_of(self: &Arc<Self>, mut actions: Actions) -> Option<Start> {
        let all = &mut actions.all;
        let own = all
            .iter()
            .position(|action| matches!(action, Action::Start(_)));
        let own = own.map(|index| all.remove(index));
        self.perform(actions);
        match own {
            Some(Action::Start(start)) => Some(start),
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
