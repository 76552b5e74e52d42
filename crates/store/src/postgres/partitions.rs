//! The days: tables that are split by the day of an id have a partition for each, made ahead of time.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use ringbolt_model::{Timestamp, id};
use tokio_postgres::error::SqlState;

use super::Fault;
use super::column::to_column;
use super::link::{Link, params};

/// Tables that are split by the day of an id.
pub(super) const BY_ID: [&str; 3] = ["message", "finished_delivery", "attempt"];
const DAY: i64 = 86_400;
/// How many days are made ahead.
const AHEAD: i64 = 2;
/// Held while partitions are made or dropped: `Rday`.
const LOCK: i32 = 0x5264_6179;

/// The day of a moment, counted from 1970.
pub(super) fn day_of(moment: Timestamp) -> i64 {
    moment.as_seconds().div_euclid(DAY)
}

/// The ids of a day: from the first on, before the second.
pub(super) fn ids_of(day: i64) -> (i64, i64) {
    let first = |day: i64| to_column(id::at_millisecond(Timestamp::from_seconds(day * DAY)));
    (first(day), first(day + 1))
}

/// Which days have partitions, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Days(Mutex<BTreeSet<i64>>);

impl Days {
    /// Makes the partitions for a moment and the days after it. What has none goes into the partition for the
    /// rest, so nothing waits for this.
    pub(super) async fn make(&self, link: Link<'_>, moment: Timestamp) -> Result<(), Fault> {
        let today = day_of(moment);
        for day in today..=today + AHEAD {
            if self.0.lock().contains(&day) {
                continue;
            }
            match make_day(link, day).await {
                // Something of that day stands in the partition for the rest: so will all that comes.
                Err(fault) if fault.code() == Some(&SqlState::CHECK_VIOLATION) => {}
                made => made?,
            }
            self.0.lock().insert(day);
        }
        Ok(())
    }

    /// A day's partitions are gone.
    pub(super) fn forget(&self, day: i64) {
        self.0.lock().remove(&day);
    }
}

/// What the partition of a day is called.
pub(super) fn name_of(table: &str, day: i64) -> String {
    format!("{table}_{day}")
}

async fn make_day(link: Link<'_>, day: i64) -> Result<(), Fault> {
    let mut sql = String::from("BEGIN; SET LOCAL lock_timeout = '1s';");
    sql.push_str(&format!(
        "SELECT pg_advisory_xact_lock({LOCK}, hashtext(current_schema()));"
    ));
    let (first, end) = ids_of(day);
    for table in BY_ID {
        sql.push_str(&made(table, day, first, end, ""));
    }
    let hours = (day * 24, (day + 1) * 24);
    sql.push_str(&made(
        "counter",
        day,
        hours.0,
        hours.1,
        "WITH (fillfactor = 50)",
    ));
    sql.push_str("COMMIT");
    let made = link.batch(&sql).await;
    if made.is_err() {
        // The transaction is over; if the connection is, this says no more than that.
        let _ended = link.batch("ROLLBACK").await;
    }
    made
}

fn made(table: &str, day: i64, first: i64, end: i64, with: &str) -> String {
    let name = name_of(table, day);
    format!(
        "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ({first}) TO ({end}) {with};"
    )
}

/// Waits for whoever makes or drops partitions, and keeps others from it until the transaction ends.
pub(super) async fn lock(link: Link<'_>) -> Result<(), Fault> {
    link.run(
        "SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))",
        params![LOCK],
    )
    .await
    .map(drop)
}

/// How long something of the day before is still expected.
pub(super) const GRACE: Duration = Duration::from_secs(3600);

/// The days that have partitions.
pub(super) async fn there(link: Link<'_>) -> Result<Vec<i64>, Fault> {
    let sql = "SELECT substring(c.relname FROM '^message_(\\d+)$')::bigint \
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
        WHERE i.inhparent = 'message'::regclass AND c.relname ~ '^message_\\d+$' ORDER BY 1";
    let rows = link.all(sql, params![]).await?;
    rows.iter().map(|row| super::column::get(row, 0)).collect()
}
