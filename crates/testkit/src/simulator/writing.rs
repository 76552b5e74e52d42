//! What the driver writes, and what it makes of the receipts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringbolt_engine::{Admission, Change, Decision, Input, Start};
use ringbolt_model::{Attempt, DeliveryKey, Message, MessageId, Timings, Trigger};
use ringbolt_store::{
    Accept, AcceptRefused, Accepted, Outcome, Receipt, Settled, Spill, StoreError, Write,
};

use super::Simulation;
use super::acting::{MILLI, TENTH};
use super::agenda::{Event, Step};
use super::deeds::Draft;
use super::ledger::{Broken, Standing};
use super::weather::Answer;

/// How soon a commit that failed is tried again.
const COMMIT_AGAIN: Duration = Duration::from_millis(250);

/// A write that waits for the writer.
pub(super) struct Queued {
    write: Write,
    outcome: Option<Told>,
}

/// What the ledger is told of an outcome once it is on disk.
struct Told {
    delivery: DeliveryKey,
    fresh: bool,
    /// Where its delivery stands by it, unless that is as before.
    standing: Option<Standing>,
}

/// How many of a hundred messages ask for their content to go early.
const EXPIRING: u64 = 15;
const MINUTE: Duration = Duration::from_secs(60);
const LONGEST_KEPT: Duration = Duration::from_secs(48 * 3600);

impl Simulation {
    pub(super) fn admit(&mut self, draft: Draft) -> Result<(), Broken> {
        draft.targets.iter().for_each(|target| self.meets(target));
        let due = self.time.steady();
        let id: MessageId = self.process.ids.next(self.time.day());
        let engine = &mut self.process.engine;
        let Admission { fresh, stored } = engine.admit(due, id, draft.bytes, &draft.targets);
        self.note("admit", [id.raw(), fresh.len() as u64], stored.len() as i64);
        let expires = self.luck.chance(EXPIRING);
        let expires_at = expires.then(|| self.time.day() + self.luck.span(MINUTE, LONGEST_KEPT));
        let message = Arc::new(Message {
            id,
            app: draft.app,
            event_type: draft.event_type,
            event_id: None,
            channels: draft.channels,
            tags: Arc::default(),
            content_type: ringbolt_model::message::JSON.into(),
            payload: Some(payload(id, draft.bytes)),
            expires_at,
        });
        self.process.tickets += 1;
        let accept = Accept {
            message,
            fresh,
            stored,
            due,
            routes: 0,
            idempotency: None,
            ticket: self.process.tickets,
        };
        self.queue(Write::Accept(accept), None);
        Ok(())
    }

    pub(super) fn write_outcome(
        &mut self,
        start: &Start,
        answer: &Answer,
        decision: Decision,
        standing: Option<Standing>,
    ) {
        let attempt = Attempt {
            id: self.process.ids.next(self.time.day()),
            app: start.message.app,
            delivery: start.delivery,
            trigger: start.trigger,
            at: self.time.day(),
            url: "https://receiver.example/".into(),
            address: None,
            status: answer.status,
            failure: answer.failure,
            detail: None,
            headers: Bytes::new(),
            body: Bytes::new(),
            timings: Timings {
                total: answer.took,
                ..Timings::default()
            },
        };
        let outcome = Outcome {
            attempt,
            fresh: decision.fresh,
            settled: settled(decision.change),
        };
        let told = Told {
            delivery: start.delivery,
            fresh: decision.fresh,
            standing,
        };
        self.queue(Write::Outcome(outcome), Some(told));
    }

    pub(super) fn spill(&mut self, deliveries: Vec<DeliveryKey>) {
        for key in &deliveries {
            self.note("spill", [key.message.raw(), key.endpoint.raw()], 0);
        }
        let spill = Spill {
            deliveries,
            due: self.time.steady(),
            trigger: Trigger::Scheduled,
        };
        self.queue(Write::Spill(spill), None);
    }

    fn queue(&mut self, write: Write, outcome: Option<Told>) {
        self.process.queue.push(Queued { write, outcome });
        if !self.process.committing {
            self.process.committing = true;
            self.later(TENTH, 20 * MILLI, Step::Commit);
        }
    }

    /// Whether commits fail now.
    pub(super) fn disk_is_bad(&self) -> bool {
        let now = self.time.now();
        let mut spells = self.world.bad_disk.iter();
        spells.any(|(from, until)| *from <= now && now < *until)
    }

    pub(super) fn commit(&mut self) -> Result<(), Broken> {
        self.process.committing = false;
        let receipts = if self.disk_is_bad() {
            self.refuse()
        } else {
            self.write()?
        };
        if !receipts.is_empty() {
            let delay = self.delay(TENTH / 2, 10 * MILLI);
            let at = (self.time.now() + delay).max(self.process.receipts_at);
            self.process.receipts_at = at;
            self.agenda.enter(at, Event::Step(Step::Receipts(receipts)));
        }
        Ok(())
    }

    fn write(&mut self) -> Result<Vec<Receipt>, Broken> {
        let (mut writes, mut outcomes) = (Vec::new(), Vec::new());
        for queued in std::mem::take(&mut self.process.queue) {
            writes.push(queued.write);
            outcomes.extend(queued.outcome);
        }
        let receipts = self.disk.write(writes);
        for told in outcomes {
            let Told {
                delivery,
                fresh,
                standing,
            } = told;
            self.ledger.outcome_written(delivery, fresh, standing);
        }
        for receipt in &receipts {
            match receipt {
                Receipt::Accept(accept, result) => self.accepted(accept, result)?,
                Receipt::Spill(spill) => self.ledger.spilt(&spill.deliveries),
                Receipt::Outcome { .. } => {}
                Receipt::Disowned { delivery } => {
                    return Err(Broken {
                        what: "somebody took over from the only node there is".to_owned(),
                        about: vec![delivery.message.raw(), delivery.endpoint.raw()],
                    });
                }
            }
        }
        self.note("committed", [0, 0], receipts.len() as i64);
        Ok(receipts)
    }

    fn accepted(
        &mut self,
        accept: &Accept,
        result: &Result<Accepted, AcceptRefused>,
    ) -> Result<(), Broken> {
        match result {
            Ok(Accepted::New) => {
                let Accept {
                    message,
                    fresh,
                    stored,
                    due,
                    ..
                } = accept;
                self.ledger.accepted(message, fresh, stored, *due);
                Ok(())
            }
            Err(AcceptRefused::ApplicationGone) if !self.apps.contains(&accept.message.app) => {
                Ok(())
            }
            other => Err(Broken {
                what: format!("a message was answered with {other:?}"),
                about: vec![accept.message.id.raw()],
            }),
        }
    }

    /// A commit fails: messages are refused, the rest is kept for the next.
    fn refuse(&mut self) -> Vec<Receipt> {
        let queue = std::mem::take(&mut self.process.queue);
        let (mut receipts, mut kept) = (Vec::new(), Vec::new());
        for queued in queue {
            match queued.write {
                Write::Accept(accept) => {
                    receipts.push(Receipt::Accept(accept, Err(StoreError::Full.into())))
                }
                write => kept.push(Queued { write, ..queued }),
            }
        }
        self.note("refused", [0, kept.len() as u64], receipts.len() as i64);
        if !kept.is_empty() {
            self.process.committing = true;
            let at = self.time.now() + COMMIT_AGAIN;
            self.agenda.enter(at, Event::Step(Step::Commit));
        }
        self.process.queue = kept;
        receipts
    }

    /// One turn of the engine for all receipts of a commit.
    pub(super) fn take(&mut self, receipts: Vec<Receipt>) -> Result<(), Broken> {
        let (now, mut actions) = (self.time.steady(), Vec::new());
        for receipt in receipts {
            let Some(input) = self.input(receipt) else {
                continue;
            };
            self.process.engine.handle(now, input, &mut actions);
        }
        self.perform(actions)
    }

    fn input(&mut self, receipt: Receipt) -> Option<Input> {
        match receipt {
            Receipt::Accept(
                Accept {
                    message,
                    fresh,
                    stored,
                    ..
                },
                Ok(Accepted::New),
            ) => Some(Input::Committed {
                message,
                fresh,
                stored,
            }),
            Receipt::Accept(
                Accept {
                    message,
                    fresh,
                    stored,
                    ..
                },
                _,
            ) => Some(Input::Abandoned {
                message: message.id,
                fresh,
                stored,
            }),
            Receipt::Outcome {
                delivery,
                fresh,
                settled,
            } => {
                let told = !fresh || matches!(settled, Settled::Retry { .. });
                self.note(
                    "recorded",
                    [delivery.message.raw(), delivery.endpoint.raw()],
                    told.into(),
                );
                told.then_some(Input::Recorded { delivery })
            }
            Receipt::Disowned { delivery } => Some(Input::Recorded { delivery }),
            Receipt::Spill(spill) => {
                let endpoint = spill.deliveries.first()?.endpoint;
                let rows = Step::Rows {
                    endpoint,
                    due: spill.due,
                    manual: false,
                };
                self.later(TENTH, 2 * MILLI, rows);
                None
            }
        }
    }
}

/// Bytes that no other message has.
fn payload(id: MessageId, bytes: usize) -> Bytes {
    let text = format!("{:?}", id.to_string());
    text.bytes().cycle().take(bytes.max(text.len())).collect()
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
