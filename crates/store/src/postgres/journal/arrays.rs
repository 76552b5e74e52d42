//! Rows of the hot path as arrays, a column each.

use std::fmt::Write as _;

use ringbolt_model::{Attempt, EndpointId, Timestamp, Trigger, Uid};
use tokio_postgres::types::ToSql;

use super::parts::Part;
use super::statements::{ATTEMPTS, MESSAGES, WAIT};
use crate::Accept;
use crate::encoding::{content_type_column, failure_code, labels_column, timings_column};
use crate::postgres::column::to_column;

/// Messages.
#[derive(Default)]
pub(super) struct Messages<'a> {
    ids: Vec<i64>,
    apps: Vec<i64>,
    event_types: Vec<&'a str>,
    event_ids: Vec<Option<&'a str>>,
    channels: Vec<Option<String>>,
    tags: Vec<Option<String>>,
    content_types: Vec<Option<&'a str>>,
    expire_at: Vec<Option<i64>>,
    targets: Vec<String>,
    payloads: Vec<Option<&'a [u8]>>,
}

impl<'a> Messages<'a> {
    pub(super) fn push(&mut self, accept: &'a Accept) {
        let message = &*accept.message;
        self.ids.push(to_column(message.id.raw()));
        self.apps.push(to_column(message.app.raw()));
        self.event_types.push(message.event_type.as_str());
        self.event_ids
            .push(message.event_id.as_ref().map(Uid::as_str));
        self.channels.push(labels_column(&message.channels));
        self.tags.push(labels_column(&message.tags));
        self.content_types
            .push(content_type_column(&message.content_type));
        self.expire_at
            .push(message.expires_at.map(Timestamp::as_micros));
        self.targets.push(targets(accept));
        self.payloads.push(message.payload.as_deref());
    }

    pub(super) fn part(&self) -> Part<'_> {
        let values: Vec<&(dyn ToSql + Sync)> = vec![
            &self.ids,
            &self.apps,
            &self.event_types,
            &self.event_ids,
            &self.channels,
            &self.tags,
            &self.content_types,
            &self.expire_at,
            &self.targets,
            &self.payloads,
        ];
        let sql = &MESSAGES;
        Part { sql, values }
    }
}

/// Targets as the text of an array, in order.
fn targets(accept: &Accept) -> String {
    let all = accept.fresh.iter().chain(&accept.stored);
    let mut targets: Vec<i64> = all.map(|target| to_column(target.raw())).collect();
    targets.sort_unstable();
    let mut text = String::with_capacity(2 + targets.len() * 20);
    text.push('{');
    for (place, target) in targets.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        // Writing to text cannot fail.
        let _done = write!(text, "{comma}{target}");
    }
    text.push('}');
    text
}

/// Rows of deliveries that wait.
#[derive(Default)]
pub(super) struct Waiting {
    endpoints: Vec<i64>,
    messages: Vec<i64>,
    next_at: Vec<i64>,
    attempts: Vec<i32>,
    manual: Vec<bool>,
    owner: i64,
}

impl Waiting {
    /// Of this node.
    pub(super) fn of(owner: i64) -> Self {
        Self {
            owner,
            ..Self::default()
        }
    }

    pub(super) fn push(
        &mut self,
        (message, endpoint): (i64, EndpointId),
        next_at: Timestamp,
        attempts: u32,
        trigger: Trigger,
    ) {
        self.endpoints.push(to_column(endpoint.raw()));
        self.messages.push(message);
        self.next_at.push(next_at.as_micros());
        self.attempts
            .push(i32::try_from(attempts).unwrap_or(i32::MAX));
        self.manual.push(trigger == Trigger::Manual);
    }

    /// Writes them, if there are any.
    pub(super) fn part(&self) -> Option<Part<'_>> {
        if self.endpoints.is_empty() {
            return None;
        }
        let values: Vec<&(dyn ToSql + Sync)> = vec![
            &self.endpoints,
            &self.messages,
            &self.next_at,
            &self.attempts,
            &self.manual,
            &self.owner,
        ];
        Some(Part { sql: &WAIT, values })
    }
}

/// Tries.
#[derive(Default)]
pub(super) struct Attempts<'a> {
    ids: Vec<i64>,
    apps: Vec<i64>,
    messages: Vec<i64>,
    endpoints: Vec<i64>,
    at: Vec<i64>,
    manual: Vec<bool>,
    statuses: Vec<i16>,
    failures: Vec<Option<i16>>,
    urls: Vec<&'a str>,
    addresses: Vec<Option<String>>,
    details: Vec<Option<&'a str>>,
    timings: Vec<Vec<u8>>,
    headers: Vec<Option<&'a [u8]>>,
    bodies: Vec<Option<&'a [u8]>>,
}

impl<'a> Attempts<'a> {
    pub(super) fn push(&mut self, attempt: &'a Attempt) {
        fn filled(bytes: &[u8]) -> Option<&[u8]> {
            (!bytes.is_empty()).then_some(bytes)
        }
        self.ids.push(to_column(attempt.id.raw()));
        self.apps.push(to_column(attempt.app.raw()));
        self.messages
            .push(to_column(attempt.delivery.message.raw()));
        self.endpoints
            .push(to_column(attempt.delivery.endpoint.raw()));
        self.at.push(attempt.at.as_micros());
        self.manual.push(attempt.trigger == Trigger::Manual);
        self.statuses
            .push(i16::try_from(attempt.status).unwrap_or(i16::MAX));
        self.failures.push(attempt.failure.map(failure_code));
        self.urls.push(&attempt.url);
        self.addresses
            .push(attempt.address.map(|address| address.to_string()));
        self.details.push(attempt.detail.as_deref());
        self.timings.push(timings_column(&attempt.timings).to_vec());
        self.headers.push(filled(&attempt.headers));
        self.bodies.push(filled(&attempt.body));
    }

    /// Writes them, if there are any.
    pub(super) fn part(&self) -> Option<Part<'_>> {
        if self.ids.is_empty() {
            return None;
        }
        let values: Vec<&(dyn ToSql + Sync)> = vec![
            &self.ids,
            &self.apps,
            &self.messages,
            &self.endpoints,
            &self.at,
            &self.manual,
            &self.statuses,
            &self.failures,
            &self.urls,
            &self.addresses,
            &self.details,
            &self.timings,
            &self.headers,
            &self.bodies,
        ];
        Some(Part {
            sql: &ATTEMPTS,
            values,
        })
    }
}
