//! The writer that records what became of deliveries.

use std::collections::HashMap;

use ringbolt_model::{DeliveryKey, DeliveryState, FinalReason, MessageId, Timestamp, Trigger};
use tokio_postgres::types::ToSql;

use super::arrays::{Attempts, Waiting};
use super::hand::{Failed, Step};
use super::line::Settle;
use super::parts::Part;
use super::statements::{CLOSE, FINISH, FINISH_ROWS, RETRY_ROWS};
use super::tallies::{Columns, Tallies};
use super::writer::{Proof, Writer, is_of_a_row};
use crate::encoding::{reason_code, state_code};
use crate::lease::SettledMarks;
use crate::postgres::Fault;
use crate::postgres::column::to_column;
use crate::{Outcome, Receipt, Settled};

/// Records until nothing comes any more.
pub(super) async fn run(mut writer: Writer) {
    let mut last = 0;
    loop {
        let hot = writer.hot.clone();
        let Some(batch) = hot.lines.settles(last).await else {
            return;
        };
        last = batch.len();
        settle(&mut writer, batch).await;
    }
}

/// Records a batch, however long that takes; what others have taken over is dropped.
async fn settle(writer: &mut Writer, batch: Vec<Settle>) {
    let mut parts = vec![batch];
    while let Some(mut part) = parts.pop() {
        let dropped = drop_foreign(writer, &mut part);
        writer.hot.tell(dropped);
        if part.is_empty() {
            continue;
        }
        match settle_part(writer, &part).await {
            Ok(()) => writer.hot.tell(part.into_iter().map(receipt).collect()),
            Err(Fault::Fenced) => {
                writer.was_fenced();
                // All of it was of the incarnation that has ended, whether or not another has begun.
                writer
                    .hot
                    .tell(part.into_iter().flat_map(given_up).collect());
            }
            Err(fault) if is_of_a_row(&fault) && part.len() > 1 => {
                let rest = part.split_off(part.len() / 2);
                parts.extend([rest, part]);
            }
            Err(fault) if is_of_a_row(&fault) => {
                tracing::error!(
                    ?fault,
                    "an outcome cannot be written; the message will arrive again"
                );
                writer
                    .hot
                    .tell(part.into_iter().flat_map(given_up).collect());
            }
            Err(fault) => {
                writer.hot.failed(&fault);
                if writer.hot.lines.is_closing() {
                    tracing::error!(
                        "outcomes could not be written; the messages will arrive again"
                    );
                    return;
                }
                parts.push(part);
                writer.rest().await;
            }
        }
    }
}

/// Takes out what this node has no right to any more: all, if it is fenced; otherwise outcomes of deliveries that an
/// earlier incarnation had in memory.
fn drop_foreign(writer: &Writer, part: &mut Vec<Settle>) -> Vec<Receipt> {
    let holdings = &writer.hot.holdings;
    let is_foreign = |settle: &Settle| match settle {
        Settle::Outcome(outcome) => {
            holdings.is_foreign(outcome.attempt.delivery.message, outcome.fresh)
        }
        Settle::Spill(_) => holdings.is_fenced(),
    };
    let (foreign, own) = part
        .drain(..)
        .partition::<Vec<_>, _>(|settle| is_foreign(settle));
    *part = own;
    foreign.into_iter().flat_map(given_up).collect()
}

fn given_up(settle: Settle) -> Option<Receipt> {
    match settle {
        Settle::Outcome(outcome) => Some(Receipt::Disowned {
            delivery: outcome.attempt.delivery,
        }),
        Settle::Spill(_) => None,
    }
}

fn receipt(settle: Settle) -> Receipt {
    match settle {
        Settle::Outcome(outcome) => Receipt::Outcome {
            delivery: outcome.attempt.delivery,
            fresh: outcome.fresh,
            settled: outcome.settled,
        },
        Settle::Spill(spill) => Receipt::Spill(spill),
    }
}

async fn settle_part(writer: &mut Writer, part: &[Settle]) -> Result<(), Fault> {
    loop {
        let begun = writer.clock().steady();
        let proof = writer.next();
        let counter = writer.counter();
        let rows = Rows::of(part, writer, proof.owner(), counter);
        let done = match transaction(writer, &proof, &rows).await {
            Ok(()) => Ok(()),
            Err(failed) => writer.clean_up(failed, &proof).await,
        };
        match done {
            Ok(()) => {
                let took = writer.clock().steady().since(begun);
                writer.went_well(part.len(), took);
                writer.hot.holdings.marks().settle(&rows.marks);
                return Ok(());
            }
            Err(fault) if fault.is_passing() => {}
            Err(fault) => return Err(fault),
        }
    }
}

async fn transaction(writer: &mut Writer, proof: &Proof, rows: &Rows<'_>) -> Result<(), Failed> {
    writer.hand().await?;
    let writer = &*writer;
    let Some(hand) = writer.ready() else {
        return Err(Fault::NotFound.into());
    };
    let mut parts = vec![proof.part()];
    rows.add(&mut parts);
    let Some(stored) = rows.stored() else {
        return writer.commit_within_limit(hand.commit_one(parts)).await;
    };
    // It may count what the rest counts, which one statement cannot do twice.
    let (rest, stored) = (Step::Parts(parts), Step::Parts(vec![stored]));
    let steps = [Step::Command("BEGIN"), rest, stored];
    writer.commit_within_limit(hand.commit(&steps)).await
}

/// Deliveries that end or are tried again, a column each.
#[derive(Default)]
struct Ends {
    apps: Vec<i64>,
    endpoints: Vec<i64>,
    messages: Vec<i64>,
    states: Vec<i16>,
    reasons: Vec<Option<i16>>,
}

impl Ends {
    fn push(&mut self, outcome: &Outcome, state: DeliveryState, reason: Option<FinalReason>) {
        let key = outcome.attempt.delivery;
        self.apps.push(to_column(outcome.attempt.app.raw()));
        self.endpoints.push(to_column(key.endpoint.raw()));
        self.messages.push(to_column(key.message.raw()));
        self.states.push(state_code(state));
        self.reasons.push(reason.map(reason_code));
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![
            &self.apps,
            &self.endpoints,
            &self.messages,
            &self.states,
            &self.reasons,
        ]
    }
}

/// Rows that are tried again later, a column each.
#[derive(Default)]
struct Retries {
    apps: Vec<i64>,
    endpoints: Vec<i64>,
    messages: Vec<i64>,
    next_at: Vec<i64>,
    attempts: Vec<i32>,
}

impl Retries {
    fn part<'s>(&'s self, owner: &'s i64) -> Option<Part<'s>> {
        if self.apps.is_empty() {
            return None;
        }
        let values: Vec<&(dyn ToSql + Sync)> = vec![
            &self.apps,
            &self.endpoints,
            &self.messages,
            &self.next_at,
            &self.attempts,
            owner,
        ];
        let sql = &RETRY_ROWS;
        Some(Part { sql, values })
    }
}

/// What is written of a batch.
struct Rows<'a> {
    attempts: Attempts<'a>,
    fresh: Ends,
    stored: Ends,
    retries: Retries,
    waiting: Waiting,
    marks: SettledMarks,
    counts: Columns,
    owner: i64,
    counter: i32,
}

impl<'a> Rows<'a> {
    fn of(part: &'a [Settle], writer: &Writer, owner: i64, counter: i32) -> Self {
        let mut rows = Self {
            attempts: Attempts::default(),
            fresh: Ends::default(),
            stored: Ends::default(),
            retries: Retries::default(),
            waiting: Waiting::of(owner),
            marks: SettledMarks::default(),
            counts: Columns::default(),
            owner,
            counter,
        };
        let (mut tallies, mut settled) = (Tallies::default(), HashMap::new());
        let marks = writer.hot.holdings.marks();
        for settle in part {
            match settle {
                Settle::Outcome(outcome) => rows.outcome(outcome, &mut tallies, &mut settled),
                Settle::Spill(spill) => {
                    // What an earlier incarnation had in memory others have taken over.
                    let own = |key: &&DeliveryKey| marks.knows(key.message);
                    for key in spill.deliveries.iter().filter(own) {
                        rows.wait(*key, spill.due, 0, spill.trigger);
                        *settled.entry(key.message).or_default() += 1;
                    }
                }
            }
        }
        rows.counts = tallies.columns(counter);
        rows.marks = marks.would_settle(settled);
        rows
    }

    fn outcome(
        &mut self,
        outcome: &'a Outcome,
        tallies: &mut Tallies,
        settled: &mut HashMap<MessageId, usize>,
    ) {
        let Outcome { attempt, fresh, .. } = outcome;
        let key = attempt.delivery;
        self.attempts.push(attempt);
        if outcome.settled == Settled::Waits {
            return;
        }
        if *fresh {
            *settled.entry(key.message).or_default() += 1;
        }
        let (state, reason) = match outcome.settled {
            Settled::Waits => return,
            Settled::Retry { at, attempts } => {
                if *fresh {
                    self.wait(key, at, attempts, Trigger::Scheduled);
                } else {
                    self.retry(outcome, at, attempts);
                }
                return;
            }
            Settled::Delivered => (DeliveryState::Delivered, None),
            Settled::Failed(reason) => (DeliveryState::Failed, Some(reason)),
            Settled::Cancelled => (DeliveryState::Cancelled, Some(FinalReason::Deleted)),
        };
        if *fresh {
            self.fresh.push(outcome, state, reason);
            tallies.ended(attempt.app, key.endpoint, key.message, state);
        } else {
            self.stored.push(outcome, state, reason);
        }
    }

    fn wait(&mut self, key: DeliveryKey, at: Timestamp, attempts: u32, trigger: Trigger) {
        let message = to_column(key.message.raw());
        self.waiting
            .push((message, key.endpoint), at, attempts, trigger);
    }

    fn retry(&mut self, outcome: &Outcome, at: Timestamp, attempts: u32) {
        let key = outcome.attempt.delivery;
        let rows = &mut self.retries;
        rows.apps.push(to_column(outcome.attempt.app.raw()));
        rows.endpoints.push(to_column(key.endpoint.raw()));
        rows.messages.push(to_column(key.message.raw()));
        rows.next_at.push(at.as_micros());
        rows.attempts
            .push(i32::try_from(attempts).unwrap_or(i32::MAX));
    }

    fn add<'s>(&'s self, parts: &mut Vec<Part<'s>>) {
        parts.extend(self.attempts.part());
        if !self.fresh.apps.is_empty() {
            let values = self.fresh.values();
            parts.push(Part {
                sql: &FINISH,
                values,
            });
        }
        parts.extend(self.retries.part(&self.owner));
        parts.extend(self.waiting.part());
        if !self.marks.batches.is_empty() {
            let values: Vec<&(dyn ToSql + Sync)> = vec![&self.owner, &self.marks.batches];
            parts.push(Part {
                sql: &CLOSE,
                values,
            });
        }
        parts.extend(self.counts.part());
    }

    /// What ended and had rows.
    fn stored(&self) -> Option<Part<'_>> {
        if self.stored.apps.is_empty() {
            return None;
        }
        let mut values = self.stored.values();
        values.extend([&self.owner as &(dyn ToSql + Sync), &self.counter]);
        let sql = &FINISH_ROWS;
        Some(Part { sql, values })
    }
}
