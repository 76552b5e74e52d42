//! Whether messages may be accepted: the rules that need the database, in the transaction that writes them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ringbolt_model::{MessageId, Timestamp, id};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::hand::{Hand, Step};
use super::parts::{HotSql, Part};
use super::statements::{APPLICATIONS, EVENT_IDS, KEYS, TAKE_ALL_KEYS, TAKE_EVENT_IDS, TAKE_KEYS};
use super::writer::Proof;
use crate::postgres::Fault;
use crate::postgres::column::{get, to_column};
use crate::{Accept, AcceptRefused, Accepted, IDEMPOTENCY_KEPT as KEPT};

const MILLISECOND: Duration = Duration::from_millis(1);

/// What came of a message that was to be accepted.
pub(super) type Answer = Result<Accepted, AcceptRefused>;

/// What is asked about a batch.
#[derive(Default)]
pub(super) struct Question<'a> {
    apps: Vec<i64>,
    keys: Vec<&'a [u8]>,
    bodies: Vec<&'a [u8]>,
    key_messages: Vec<i64>,
    event_apps: Vec<i64>,
    event_ids: Vec<&'a str>,
    event_messages: Vec<i64>,
    /// Whatever was used before this id is free again.
    since: i64,
}

impl<'a> Question<'a> {
    pub(super) fn about(batch: &'a [Accept]) -> Self {
        let mut apps: Vec<i64> = batch
            .iter()
            .map(|accept| to_column(accept.message.app.raw()))
            .collect();
        apps.sort_unstable();
        apps.dedup();
        let mut this = Self {
            apps,
            since: since(batch),
            ..Self::default()
        };
        // In one order, whoever takes them: so nobody waits for somebody who waits for him.
        let mut keys: Vec<_> = batch
            .iter()
            .filter_map(|accept| Some((accept.idempotency.as_ref()?, accept.message.id)))
            .collect();
        keys.sort_unstable_by_key(|(key, _)| key.key);
        for (key, message) in keys {
            this.keys.push(&key.key);
            this.bodies.push(&key.body);
            this.key_messages.push(to_column(message.raw()));
        }
        let mut events: Vec<_> = batch
            .iter()
            .filter_map(|accept| {
                let message = &accept.message;
                Some((message.app, message.event_id.as_ref()?.as_str(), message.id))
            })
            .collect();
        events.sort_unstable();
        for (app, event, message) in events {
            this.event_apps.push(to_column(app.raw()));
            this.event_ids.push(event);
            this.event_messages.push(to_column(message.raw()));
        }
        this
    }

    /// Takes all keys, or refuses the transaction.
    pub(super) fn taking_all(&self) -> Option<Part<'_>> {
        let sql = &TAKE_ALL_KEYS;
        let values = self.taking();
        (!self.keys.is_empty()).then_some(Part { sql, values })
    }

    fn taking(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![&self.keys, &self.bodies, &self.key_messages, &self.since]
    }

    /// The statements that ask, behind the proof.
    fn steps<'s>(&'s self, proof: &'s Proof) -> Vec<Step<'s>> {
        let step = |sql: &'static HotSql, values: Vec<&'s (dyn ToSql + Sync)>| {
            Step::Parts(vec![Part { sql, values }])
        };
        let mut work = vec![Step::Command("BEGIN"), Step::Parts(vec![proof.part()])];
        work.push(step(&APPLICATIONS, vec![&self.apps]));
        if !self.keys.is_empty() {
            work.push(step(&TAKE_KEYS, self.taking()));
            work.push(step(&KEYS, vec![&self.keys]));
        }
        if !self.event_ids.is_empty() {
            let values: Vec<&(dyn ToSql + Sync)> = vec![
                &self.event_apps,
                &self.event_ids,
                &self.event_messages,
                &self.since,
            ];
            work.push(step(&TAKE_EVENT_IDS, values));
            work.push(step(&EVENT_IDS, vec![&self.event_apps, &self.event_ids]));
        }
        work
    }
}

/// Keys and event ids of more than a day ago are free again.
fn since(batch: &[Accept]) -> i64 {
    let first = batch.iter().map(|accept| accept.message.id).min();
    let first = first.map_or(Timestamp::default(), MessageId::time);
    to_column(id::at_millisecond(first - KEPT + MILLISECOND))
}

/// How many statements come before what is asked: `BEGIN` and the proof.
const BEGINNING: usize = 2;

/// Begins the transaction of a batch, and judges it. No two messages of it have a key or an event id in common.
pub(super) async fn judge(
    hand: &Hand,
    proof: &Proof,
    batch: &[Accept],
) -> Result<Vec<Answer>, Fault> {
    let question = Question::about(batch);
    let mut results = hand
        .run(&question.steps(proof))
        .await?
        .into_iter()
        .skip(BEGINNING);
    let apps = versions(&results.next().unwrap_or_default())?;
    let keys = if question.keys.is_empty() {
        HashMap::new()
    } else {
        keys(&results.nth(1).unwrap_or_default())?
    };
    let events = if question.event_ids.is_empty() {
        HashSet::new()
    } else {
        messages(&results.nth(1).unwrap_or_default())?
    };
    let judged = batch.iter().map(|accept| {
        let message = &accept.message;
        if let Some(key) = &accept.idempotency
            && let Some((body, first)) = keys.get(&key.key)
            && *first != message.id
        {
            return if *body == key.body {
                Ok(Accepted::Repeated(*first))
            } else {
                Err(AcceptRefused::KeyReused)
            };
        }
        match apps.get(&to_column(message.app.raw())) {
            None => return Err(AcceptRefused::ApplicationGone),
            Some(version) if *version != accept.routes => return Err(AcceptRefused::Stale),
            Some(_) => {}
        }
        if message.event_id.is_some() && !events.contains(&message.id) {
            return Err(AcceptRefused::EventIdTaken);
        }
        Ok(Accepted::New)
    });
    Ok(judged.collect())
}

fn versions(rows: &[Row]) -> Result<HashMap<i64, u64>, Fault> {
    let version = |row| Ok((get(row, 0)?, get::<i64>(row, 1)?.cast_unsigned()));
    rows.iter().map(version).collect()
}

type Used = ([u8; 16], MessageId);

fn keys(rows: &[Row]) -> Result<HashMap<[u8; 16], Used>, Fault> {
    let digest = |row, column| -> Result<[u8; 16], Fault> {
        let bytes: &[u8] = get(row, column)?;
        bytes
            .try_into()
            .map_err(crate::postgres::column::unreadable)
    };
    let used = |row| {
        let message = crate::postgres::column::id(row, 2)?;
        Ok((digest(row, 0)?, (digest(row, 1)?, message)))
    };
    rows.iter().map(used).collect()
}

fn messages(rows: &[Row]) -> Result<HashSet<MessageId>, Fault> {
    rows.iter()
        .map(|row| crate::postgres::column::id(row, 0))
        .collect()
}
