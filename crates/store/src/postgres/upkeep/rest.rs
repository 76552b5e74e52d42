//! What stands in the partitions for the rest: what was carried forward when its day was dropped, and what was written when its
//! day had no partition. It goes when it is past retention and nothing of its message is unfinished.

use std::time::Duration;

use super::tidying::Bounds;
use crate::Tidied;
use crate::lists::Pass;
use crate::postgres::Fault;
use crate::postgres::column::get;
use crate::postgres::link::{Link, params};

/// How often they are looked through.
const EVERY: Duration = Duration::from_secs(60);
/// How many rows a step looks at.
const STEP: i64 = 1_000;

/// A partition: the columns that tell its rows apart, in the order of its key, and the one that names the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    table: &'static str,
    key: [&'static str; 3],
    message: &'static str,
}

/// Counters come last: their rows have an hour, not a message.
pub(super) const RESTS: [Rest; 4] = [
    Rest {
        table: "message_rest",
        // The second column once more: it has a key of two.
        key: ["app_id", "id", "id"],
        message: "id",
    },
    Rest {
        table: "finished_delivery_rest",
        key: ["app_id", "endpoint_id", "message_id"],
        message: "message_id",
    },
    Rest {
        table: "attempt_rest",
        key: ["app_id", "message_id", "id"],
        message: "message_id",
    },
    Rest {
        table: "counter_rest",
        key: ["app_id", "endpoint_id", "hour"],
        message: "",
    },
];

impl Rest {
    /// The next rows, each with whether it goes.
    pub(super) fn next_sql(&self) -> String {
        let Self {
            table,
            key: [a, b, c],
            message,
        } = self;
        let goes = if message.is_empty() {
            "t.hour < (($4::bigint >> 32) + 1400000000) / 3600".to_owned()
        } else {
            format!(
                "t.{message} < $4 AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = t.{message}) \
                 AND (t.app_id, t.{message}) NOT IN (SELECT app_id, id FROM open_message)"
            )
        };
        format!(
            "SELECT t.{a}, t.{b}, t.{c}::bigint, {goes} FROM {table} t WHERE (t.{a}, t.{b}, t.{c}) > ($1, $2, $3) \
             ORDER BY t.{a}, t.{b}, t.{c} LIMIT $5"
        )
    }

    fn remove_sql(&self) -> String {
        let Self {
            table,
            key: [a, b, c],
            ..
        } = self;
        format!(
            "DELETE FROM {table} t USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w(a, b, c) \
             WHERE t.{a} = w.a AND t.{b} = w.b AND t.{c} = w.c"
        )
    }
}

/// The walk: in which partition it is, and beyond which key.
#[derive(Debug, Default, Clone)]
pub(super) struct Rests(Pass<(usize, [i64; 3])>);

/// Removes what may go among the next few rows.
pub(super) async fn walk(
    link: Link<'_>,
    bounds: &Bounds,
    walk: &mut Rests,
) -> Result<Tidied, Fault> {
    let Some((place, [a, b, c])) = walk.0.resume(bounds.now, EVERY) else {
        return Ok(Tidied::default());
    };
    let Some(rest) = RESTS.get(place) else {
        walk.0 = Pass::Ended(bounds.now);
        return Ok(Tidied::default());
    };
    let beyond = params![a, b, c, bounds.horizon, STEP];
    let found = link.all(&rest.next_sql(), beyond).await?;
    let mut going: [Vec<i64>; 3] = Default::default();
    let mut last = None;
    for row in &found {
        let key: [i64; 3] = [get(row, 0)?, get(row, 1)?, get(row, 2)?];
        last = Some(key);
        if get(row, 3)? {
            for (column, value) in going.iter_mut().zip(key) {
                column.push(value);
            }
        }
    }
    let rows = going[0].len();
    let [a, b, c] = going;
    link.run(&rest.remove_sql(), params![a, b, c]).await?;
    walk.0 = match last {
        Some(last) if found.len() as i64 == STEP => Pass::At((place, last)),
        _ => Pass::At((place + 1, Default::default())),
    };
    Ok(Tidied {
        rows,
        expired: 0,
        more: true,
    })
}
