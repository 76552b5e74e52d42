//! The writer that accepts messages.

use std::collections::{BTreeSet, HashMap, HashSet};

use ringbolt_model::Trigger;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::arrays::{Messages, Waiting};
use super::disowned;
use super::hand::{Failed, Step};
use super::judging::{Answer, Question, judge};
use super::line::Batch;
use super::parts::{HotSql, Part};
use super::statements::{FREE_EVENT_IDS, FREE_KEYS, OPEN, ROUTED};
use super::tallies::{Columns, Tallies};
use super::writer::{Proof, Writer, is_of_a_row};
use crate::postgres::Fault;
use crate::postgres::column::to_column;
use crate::postgres::fault::conflict;
use crate::{Accept, AcceptRefused, Accepted, Receipt, StoreError};

/// How often a batch is tried again that another transaction was in the way of.
const TRIES: usize = 3;

/// Accepts until nothing comes any more.
pub(super) async fn run(mut writer: Writer) {
    let (hot, mut last, mut later) = (writer.hot.clone(), 0, Vec::new());
    loop {
        let mut batch: Vec<Accept> = std::mem::take(&mut later);
        let next = if batch.is_empty() {
            hot.lines.accepts(last).await
        } else {
            Some(hot.lines.accepts_now())
        };
        let Some(Batch { number, accepts }) = next else {
            return;
        };
        batch.extend(accepts);
        let twins = twins(&mut batch);
        last = batch.len();
        let mut receipts = accept(&mut writer, batch).await;
        later = follow(twins, &mut receipts);
        hot.order
            .written(number, receipts, |receipts| hot.tell(receipts));
    }
}

/// Answers twins of what was accepted. Those of what was refused are judged by themselves: they are given back.
fn follow(twins: Vec<Accept>, receipts: &mut Vec<Receipt>) -> Vec<Accept> {
    if twins.is_empty() {
        return twins;
    }
    let (mut keys, mut events) = (HashMap::new(), HashSet::new());
    for receipt in &*receipts {
        let Receipt::Accept(accept, Ok(accepted)) = receipt else {
            continue;
        };
        let message = match accepted {
            Accepted::New => accept.message.id,
            Accepted::Repeated(first) => *first,
        };
        if let Some(key) = accept.idempotency {
            keys.insert(key.key, (key.body, message));
        }
        if let Some(event) = &accept.message.event_id {
            events.insert((accept.message.app, event.clone()));
        }
    }
    let mut later = Vec::new();
    for twin in twins {
        let known = twin
            .idempotency
            .and_then(|key| Some((key, keys.get(&key.key)?)));
        let event = twin.message.event_id.clone();
        let answer = match known {
            Some((key, (body, first))) if key.body == *body => Ok(Accepted::Repeated(*first)),
            Some(_) => Err(AcceptRefused::KeyReused),
            None if event.is_some_and(|event| events.contains(&(twin.message.app, event))) => {
                Err(AcceptRefused::EventIdTaken)
            }
            None => {
                later.push(twin);
                continue;
            }
        };
        receipts.push(Receipt::Accept(twin, answer));
    }
    later
}

/// Takes out what has a key or an event id in common with one before it: that is judged once that is decided.
fn twins(batch: &mut Vec<Accept>) -> Vec<Accept> {
    let (mut keys, mut events) = (HashSet::new(), HashSet::new());
    let mut is_twin = |accept: &Accept| {
        let key = accept.idempotency.as_ref();
        let event = accept.message.event_id.as_ref();
        let same_key = key.is_some_and(|key| !keys.insert(key.key));
        let same_event =
            event.is_some_and(|event| !events.insert((accept.message.app, event.clone())));
        same_key || same_event
    };
    let (twins, first) = batch
        .drain(..)
        .partition::<Vec<_>, _>(|accept| is_twin(accept));
    *batch = first;
    twins
}

/// Accepts a batch: each message is in the database afterwards, or refused.
async fn accept(writer: &mut Writer, batch: Vec<Accept>) -> Vec<Receipt> {
    let mut receipts = Vec::with_capacity(batch.len());
    let mut parts = vec![batch];
    while let Some(mut part) = parts.pop() {
        // The other one has taken what there was.
        if part.is_empty() {
            continue;
        }
        match accept_part(writer, &part).await {
            Ok(answers) => {
                let both = part.into_iter().zip(answers);
                receipts.extend(both.map(|(accept, answer)| Receipt::Accept(accept, answer)));
            }
            // One of them cannot be written: the others can, without it.
            Err(fault) if is_of_a_row(&fault) && part.len() > 1 => {
                let rest = part.split_off(part.len() / 2);
                parts.extend([rest, part]);
            }
            Err(fault) => {
                if !is_of_a_row(&fault) {
                    writer.hot.failed(&fault);
                }
                let error = StoreError::from(conflict("id")(fault));
                let refused = |accept| {
                    let refused = AcceptRefused::Store(error.clone());
                    Receipt::Accept(accept, Err(refused))
                };
                receipts.extend(part.into_iter().map(refused));
            }
        }
    }
    receipts
}

async fn accept_part(writer: &mut Writer, part: &[Accept]) -> Result<Vec<Answer>, Fault> {
    if writer.hot.is_fenced() {
        return Err(disowned().into());
    }
    let (mut tries, mut at_once) = (1, true);
    loop {
        let begun = writer.clock().steady();
        let proof = writer.next();
        let mut answers = Vec::new();
        let done = match transaction(writer, &proof, part, at_once, &mut answers).await {
            Ok(()) => Ok(()),
            Err(failed) => writer.clean_up(failed, &proof).await,
        };
        match done {
            Ok(()) => {
                let took = writer.clock().steady().since(begun);
                writer.went_well(part.len(), took);
                open_marks(writer, part, &answers, &proof);
                return Ok(answers);
            }
            // A route has changed, or a key was used before: which, and for whom that matters, is asked.
            Err(fault) if at_once && is_objection(&fault) => at_once = false,
            Err(fault) if fault.is_passing() && tries < TRIES => tries += 1,
            Err(Fault::Fenced) => {
                writer.was_fenced();
                return Err(Fault::Fenced);
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// One transaction: the messages are judged, and what is accepted is written.
async fn transaction(
    writer: &mut Writer,
    proof: &Proof,
    part: &[Accept],
    at_once: bool,
    answers: &mut Vec<Answer>,
) -> Result<(), Failed> {
    let counter = writer.counter();
    writer.hand().await?;
    let writer = &*writer;
    let Some(hand) = writer.ready() else {
        return Err(Fault::NotFound.into());
    };
    if let Some(routed) = Routed::of(part).filter(|_| at_once) {
        // The usual case: nothing is to be asked, so all is sent at once, and refused whole if a route has changed or a key
        // was used before.
        *answers = part.iter().map(|_| Ok(Accepted::New)).collect();
        let (rows, question) = (
            Rows::of(part, answers, proof, counter),
            Question::about(part),
        );
        let mut parts = vec![proof.part(), routed.part()];
        parts.extend(question.taking_all());
        parts.extend(rows.parts());
        return writer.commit_within_limit(hand.commit_one(parts)).await;
    }
    *answers = writer.within_limit(judge(hand, proof, part)).await?;
    let rows = Rows::of(part, answers, proof, counter);
    let parts = rows.parts();
    let step = (!parts.is_empty()).then_some(Step::Parts(parts));
    let steps: Vec<Step<'_>> = step.into_iter().collect();
    writer.commit_within_limit(hand.commit(&steps)).await
}

/// By which routes messages were routed that have no event id.
struct Routed {
    apps: Vec<i64>,
    routes: Vec<i64>,
    count: i64,
}

impl Routed {
    fn of(part: &[Accept]) -> Option<Self> {
        let asks = |accept: &Accept| accept.message.event_id.is_some();
        if part.iter().any(asks) {
            return None;
        }
        let by = part
            .iter()
            .map(|accept| (accept.message.app, accept.routes));
        let by: BTreeSet<_> = by.collect();
        let (apps, routes) = by
            .iter()
            .map(|(app, routes)| (to_column(app.raw()), to_column(*routes)))
            .unzip();
        Some(Self {
            apps,
            routes,
            count: i64::try_from(by.len()).unwrap_or(i64::MAX),
        })
    }

    fn part(&self) -> Part<'_> {
        let values: Vec<&(dyn ToSql + Sync)> = vec![&self.apps, &self.routes, &self.count];
        let sql = &ROUTED;
        Part { sql, values }
    }
}

/// What is written of a batch.
struct Rows<'a> {
    messages: Messages<'a>,
    any: bool,
    open_apps: Vec<i64>,
    open_ids: Vec<i64>,
    waiting: Waiting,
    counts: Columns,
    owner: i64,
    batch: i64,
    free_keys: Vec<&'a [u8]>,
    free_key_messages: Vec<i64>,
    free_event_apps: Vec<i64>,
    free_event_ids: Vec<&'a str>,
    free_event_messages: Vec<i64>,
}

impl<'a> Rows<'a> {
    fn of(part: &'a [Accept], answers: &[Answer], proof: &Proof, counter: i32) -> Self {
        let owner = proof.owner();
        let mut rows = Self {
            messages: Messages::default(),
            any: false,
            open_apps: Vec::new(),
            open_ids: Vec::new(),
            waiting: Waiting::of(owner),
            counts: Columns::default(),
            owner,
            batch: proof.turn().mark(),
            free_keys: Vec::new(),
            free_key_messages: Vec::new(),
            free_event_apps: Vec::new(),
            free_event_ids: Vec::new(),
            free_event_messages: Vec::new(),
        };
        let mut tallies = Tallies::default();
        for (accept, answer) in part.iter().zip(answers) {
            match answer {
                Ok(Accepted::New) => rows.accept(accept, &mut tallies),
                _ => rows.free(accept),
            }
        }
        rows.counts = tallies.columns(counter);
        rows
    }

    fn accept(&mut self, accept: &'a Accept, tallies: &mut Tallies) {
        let message = &accept.message;
        let key = to_column(message.id.raw());
        self.any = true;
        self.messages.push(accept);
        if !accept.fresh.is_empty() {
            self.open_apps.push(to_column(message.app.raw()));
            self.open_ids.push(key);
        }
        for endpoint in &accept.stored {
            self.waiting
                .push((key, *endpoint), accept.due, 0, Trigger::Scheduled);
        }
        for endpoint in accept.fresh.iter().chain(&accept.stored) {
            tallies.owed(message.app, *endpoint, message.id);
        }
    }

    /// What was taken for a message that is refused may be used again. Where it was not this message that has it,
    /// nothing happens.
    fn free(&mut self, accept: &'a Accept) {
        let message = &accept.message;
        let id = to_column(message.id.raw());
        if let Some(key) = &accept.idempotency {
            self.free_keys.push(&key.key);
            self.free_key_messages.push(id);
        }
        if let Some(event) = &message.event_id {
            self.free_event_apps.push(to_column(message.app.raw()));
            self.free_event_ids.push(event.as_str());
            self.free_event_messages.push(id);
        }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        let part = |sql: &'static HotSql, values| Part { sql, values };
        let mut parts = Vec::new();
        if self.any {
            parts.push(self.messages.part());
        }
        if !self.open_ids.is_empty() {
            let values: Vec<&(dyn ToSql + Sync)> =
                vec![&self.owner, &self.batch, &self.open_apps, &self.open_ids];
            parts.push(part(&OPEN, values));
        }
        parts.extend(self.waiting.part());
        parts.extend(self.counts.part());
        if !self.free_keys.is_empty() {
            let values: Vec<&(dyn ToSql + Sync)> = vec![&self.free_keys, &self.free_key_messages];
            parts.push(part(&FREE_KEYS, values));
        }
        if !self.free_event_ids.is_empty() {
            let values: Vec<&(dyn ToSql + Sync)> = vec![
                &self.free_event_apps,
                &self.free_event_ids,
                &self.free_event_messages,
            ];
            parts.push(part(&FREE_EVENT_IDS, values));
        }
        parts
    }
}

/// Whether [`ROUTED`] has refused, or [`TAKE_ALL_KEYS`](super::statements::TAKE_ALL_KEYS).
fn is_objection(fault: &Fault) -> bool {
    let objections = [
        &SqlState::INVALID_ARGUMENT_FOR_LOG,
        &SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
    ];
    fault.code().is_some_and(|code| objections.contains(&code))
}

/// Marks what is in memory now; unless others have it already, who took over between the commit and this.
fn open_marks(writer: &Writer, part: &[Accept], answers: &[Answer], proof: &Proof) {
    let is_open =
        |accept: &Accept, answer: &Answer| *answer == Ok(Accepted::New) && !accept.fresh.is_empty();
    let both = part.iter().zip(answers);
    let open = both.filter(|(accept, answer)| is_open(accept, answer));
    let open = open.map(|(accept, _)| (accept.message.id, accept.fresh.len()));
    let incarnation = || writer.membership.incarnation();
    writer.hot.holdings.open(proof.turn(), incarnation, open);
}
