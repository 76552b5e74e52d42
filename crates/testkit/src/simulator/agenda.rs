//! What is going to happen, in order of time.

use std::collections::BTreeMap;

use ringbolt_engine::{Input, Start, Target};
use ringbolt_model::endpoint::Failing;
use ringbolt_model::{AppId, DeliveryKey, DisableReason, EndpointId, Timestamp};
use ringbolt_store::Receipt;

use super::deeds::{Deed, Draft};
use super::weather::Answer;

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Event {
    /// In the world, whatever becomes of the process.
    Deed(Deed),
    /// In the process: a crash takes it away.
    Step(Step),
}

/// A step of the process.
#[derive(Debug)]
pub(super) enum Step {
    /// A message has waited for its lanes, and is to be routed.
    Route(Draft),
    /// A message was routed, and is to be committed.
    Admit(Draft),
    /// What has queued up before the writer is written.
    Commit,
    /// The receipts of a commit reach the driver.
    Receipts(Vec<Receipt>),
    /// A page is read.
    Read {
        endpoint: EndpointId,
        limit: usize,
        bytes: usize,
    },
    /// The engine is told.
    Tell(Input),
    /// The engine is told what was read of an endpoint, unless that has changed since; then it is read
    /// again.
    TellRead {
        endpoint: EndpointId,
        changes: u64,
        input: Input,
        again: Box<Step>,
    },
    /// A user's change of an endpoint reaches its lane; not always in the order of the store.
    Changed(Target),
    /// A user has deleted an endpoint, and its lane learns of it.
    Deleted(EndpointId),
    /// A user's change of an application reaches the engine.
    AppChanged(AppId),
    /// An attempt ends.
    Finish { start: Box<Start>, answer: Answer },
    /// Rows were written: the lane's settings are read, to tell it.
    Rows {
        endpoint: EndpointId,
        due: Timestamp,
        manual: bool,
    },
    /// An endpoint is to be disabled.
    Disable {
        endpoint: EndpointId,
        reason: DisableReason,
    },
    /// A lane's settings are read, to tell it.
    Reconfigure(EndpointId),
    /// How an endpoint fares is kept.
    KeepFailing {
        endpoint: EndpointId,
        failing: Option<Failing>,
    },
    /// A step of a recovery.
    Recover(Recovery),
    /// A user sends again what was just tried.
    Resend(DeliveryKey),
    /// A user enables what was just disabled.
    Enable(EndpointId),
}

/// How far a recovery is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recovery {
    pub(super) endpoint: EndpointId,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) reached: Option<ringbolt_model::MessageId>,
}

/// Events by time; those of one moment in the order in which they were entered.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    events: BTreeMap<(Timestamp, u64), Event>,
    entered: u64,
}

impl Agenda {
    pub(super) fn enter(&mut self, at: Timestamp, event: Event) {
        self.entered += 1;
        self.events.insert((at, self.entered), event);
    }

    /// When the next one happens.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// The next one, if it happens at `now` at the latest.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<Event> {
        let next = self.events.first_entry()?;
        (next.key().0 <= now).then(|| next.remove())
    }

    /// The process has ended.
    pub(super) fn crash(&mut self) {
        self.events
            .retain(|_, event| matches!(event, Event::Deed(_)));
    }
}
