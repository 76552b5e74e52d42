//! How many deliveries of an endpoint stand where, by the hour in which their messages were accepted.

use std::collections::BTreeMap;
use std::ops::Range;

use ringbolt_model::{DeliveryState, EndpointId, MessageId, Timestamp, id};
use rusqlite::{Connection, OptionalExtension, params};

use super::log::rows::{self, to_column};
use crate::Counts;
use crate::encoding::HOUR;
pub(in crate::sqlite) use crate::encoding::hours;

pub(in crate::sqlite) const OWNER: &str =
    "SELECT app_id FROM endpoint WHERE id = ?1 AND deleted_at IS NULL";

pub(in crate::sqlite) const ROLLED_UP: &str = "SELECT ifnull(sum(owed), 0), ifnull(sum(success), 0), ifnull(sum(fail), 0), \
            ifnull(sum(cancelled), 0) \
     FROM counter WHERE endpoint_id = ?1 AND hour >= ?2 AND hour < ?3";

pub(in crate::sqlite) const OWED_TAIL: &str = "SELECT m.targets FROM message m INDEXED BY message_by_app \
     WHERE m.app_id = ?1 AND m.id >= ?2 AND m.id < ?3 \
       AND m.id > (SELECT message_id FROM folded WHERE one = 1)";

pub(in crate::sqlite) const SETTLED_TAIL: &str = "SELECT message_id, settled FROM attempt NOT INDEXED \
     WHERE id > (SELECT attempt_id FROM folded WHERE one = 1) AND endpoint_id = ?1";

const ADD: &str = "INSERT INTO counter (endpoint_id, hour, owed, success, fail, cancelled) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
     ON CONFLICT DO UPDATE SET owed = owed + excluded.owed, success = success + excluded.success, \
        fail = fail + excluded.fail, cancelled = cancelled + excluded.cancelled";

/// What is to be added to the counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sqlite) struct Tally {
    pub(in crate::sqlite) owed: i64,
    pub(in crate::sqlite) success: i64,
    pub(in crate::sqlite) fail: i64,
    pub(in crate::sqlite) cancelled: i64,
}

impl Tally {
    /// How many deliveries have not ended.
    pub(in crate::sqlite) fn pending(&self) -> i64 {
        (self.owed - self.success - self.fail - self.cancelled).max(0)
    }

    /// Adds another's.
    pub(in crate::sqlite) const fn add(&mut self, other: &Self) {
        self.owed += other.owed;
        self.success += other.success;
        self.fail += other.fail;
        self.cancelled += other.cancelled;
    }

    /// Counts what an attempt settled, by its column.
    pub(in crate::sqlite) const fn settle(&mut self, settled: i64) {
        match settled {
            0 => self.success += 1,
            2 => self.fail += 1,
            4 => self.cancelled += 1,
            _ => {}
        }
    }
}

/// Additions to the counters, by endpoint and hour: sorted, so that they are written in the order
/// of the table.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Tallies(BTreeMap<(i64, i64), Tally>);

impl Tallies {
    /// The tally of an endpoint for the hour of a message.
    pub(in crate::sqlite) fn of(&mut self, endpoint: i64, message: i64) -> &mut Tally {
        self.0.entry((endpoint, hour_of(message))).or_default()
    }

    /// How many counters they touch.
    pub(in crate::sqlite) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds them to the counters.
    pub(in crate::sqlite) fn add(&self, tx: &Connection) -> rusqlite::Result<()> {
        let mut statement = tx.prepare_cached(ADD)?;
        for ((endpoint, hour), tally) in &self.0 {
            if *tally == Tally::default() {
                continue;
            }
            let Tally {
                owed,
                success,
                fail,
                cancelled,
            } = tally;
            statement.execute(params![endpoint, hour, owed, success, fail, cancelled])?;
        }
        Ok(())
    }
}

/// Takes a delivery out of the counter of the state that it leaves, to be pending again.
pub(in crate::sqlite) fn reopened(
    tx: &Connection,
    endpoint: u64,
    message: u64,
    was: DeliveryState,
) -> rusqlite::Result<()> {
    let mut tallies = Tallies::default();
    let tally = tallies.of(to_column(endpoint), to_column(message));
    match was {
        DeliveryState::Pending => {}
        DeliveryState::Delivered => tally.success = -1,
        DeliveryState::Failed => tally.fail = -1,
        DeliveryState::Cancelled => tally.cancelled = -1,
    }
    tallies.add(tx)
}

/// The hour in which a message was accepted.
pub(in crate::sqlite) fn hour_of(message: i64) -> i64 {
    MessageId::from(message.cast_unsigned())
        .time()
        .as_seconds()
        .div_euclid(HOUR)
}

/// How many deliveries of an endpoint stand where; `None` if there is no such endpoint.
pub(in crate::sqlite) fn of_endpoint(
    conn: &Connection,
    endpoint: EndpointId,
    since: Timestamp,
    until: Timestamp,
) -> rusqlite::Result<Option<Counts>> {
    let key = to_column(endpoint.raw());
    let app: Option<i64> = conn
        .prepare_cached(OWNER)?
        .query_row([key], |row| row.get(0))
        .optional()?;
    let Some(app) = app else { return Ok(None) };
    let hours = hours(since, until);
    let mut tally = rolled_up(conn, key, &hours)?;
    tally.owed += owed_tail(conn, app, endpoint, &hours)?;
    settled_tail(conn, key, &hours, &mut tally)?;
    Ok(Some(Counts {
        success: tally.success,
        pending: tally.pending(),
        fail: tally.fail,
        cancelled: tally.cancelled,
    }))
}

/// What is folded of an endpoint's counts.
pub(in crate::sqlite) fn rolled_up(
    conn: &Connection,
    endpoint: i64,
    hours: &Range<i64>,
) -> rusqlite::Result<Tally> {
    conn.prepare_cached(ROLLED_UP)?
        .query_row(params![endpoint, hours.start, hours.end], |row| {
            Ok(Tally {
                owed: row.get(0)?,
                success: row.get(1)?,
                fail: row.get(2)?,
                cancelled: row.get(3)?,
            })
        })
}

fn owed_tail(
    conn: &Connection,
    app: i64,
    endpoint: EndpointId,
    hours: &Range<i64>,
) -> rusqlite::Result<i64> {
    let bound = |hour: i64| {
        to_column(id::at_millisecond(Timestamp::from_seconds(
            hour.saturating_mul(HOUR),
        )))
    };
    let mut statement = conn.prepare_cached(OWED_TAIL)?;
    let mut found = statement.query([app, bound(hours.start), bound(hours.end)])?;
    let mut owed = 0;
    while let Some(row) = found.next()? {
        let targets = row.get_ref(0)?.as_blob()?;
        owed += i64::from(rows::targets(targets).any(|target| target == endpoint.raw()));
    }
    Ok(owed)
}

fn settled_tail(
    conn: &Connection,
    endpoint: i64,
    hours: &Range<i64>,
    tally: &mut Tally,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(SETTLED_TAIL)?;
    let mut found = statement.query([endpoint])?;
    while let Some(row) = found.next()? {
        if hours.contains(&hour_of(row.get(0)?)) {
            tally.settle(row.get(1)?);
        }
    }
    Ok(())
}
