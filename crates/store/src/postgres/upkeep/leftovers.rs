//! What is remembered for a while: idempotency keys, event ids, answers, changes; and API keys that have long not worked.

use std::time::Duration;

use super::tidying::{Bounds, add};
use crate::lists::Pass;
use crate::postgres::Fault;
use crate::postgres::column::get;
use crate::postgres::link::{Link, params};
use crate::{IDEMPOTENCY_KEPT, Tidied};

/// How many rows of each table a step removes.
const STEP: i64 = 1_000;
/// How often the API keys are looked through.
const EVERY: Duration = Duration::from_secs(3600);
/// How long a key is listed after it was revoked or has expired.
const LISTED: Duration = Duration::from_secs(30 * 86_400);

pub(super) const USED_KEYS: &str = "DELETE FROM used_key WHERE key IN (SELECT key FROM used_key \
    WHERE message_id < $1 ORDER BY message_id LIMIT $2 FOR UPDATE SKIP LOCKED)";
pub(super) const USED_EVENT_IDS: &str = "DELETE FROM used_event_id WHERE (app_id, event_id) IN ( \
    SELECT app_id, event_id FROM used_event_id \
    WHERE message_id < $1 ORDER BY message_id LIMIT $2 FOR UPDATE SKIP LOCKED)";
pub(super) const ANSWERS: &str = "DELETE FROM answer WHERE key IN (SELECT key FROM answer \
    WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";
pub(super) const CHANGES: &str = "DELETE FROM change WHERE seq IN (SELECT seq FROM change \
    WHERE at < clock_timestamp() - interval '1 minute' ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED)";

/// The walk through the API keys.
#[derive(Debug, Default, Clone)]
pub(super) struct OldKeys(Pass<i64>);

/// Removes the next few of each.
pub(super) async fn remove(
    link: Link<'_>,
    bounds: &Bounds,
    walk: &mut OldKeys,
) -> Result<Tidied, Fault> {
    let mut tidied = Tidied::default();
    let first = bounds.first_within(IDEMPOTENCY_KEPT);
    let before = (bounds.now - IDEMPOTENCY_KEPT).as_micros();
    for (sql, below) in [
        (USED_KEYS, first),
        (USED_EVENT_IDS, first),
        (ANSWERS, before),
    ] {
        add(
            &mut tidied,
            removed(link.run(sql, params![below, STEP]).await?),
        );
    }
    add(
        &mut tidied,
        removed(link.run(CHANGES, params![STEP]).await?),
    );
    add(&mut tidied, api_keys(link, bounds, walk).await?);
    Ok(tidied)
}

/// A table of which so many rows were removed has more if they were as many as a step removes.
fn removed(rows: u64) -> Tidied {
    Tidied {
        rows: usize::try_from(rows).unwrap_or_default(),
        expired: 0,
        more: rows >= STEP.unsigned_abs(),
    }
}

async fn api_keys(link: Link<'_>, bounds: &Bounds, walk: &mut OldKeys) -> Result<Tidied, Fault> {
    let Some(beyond) = walk.0.resume(bounds.now, EVERY) else {
        return Ok(Tidied::default());
    };
    let sql = "SELECT id, coalesce(least(revoked_at, expires_at) < $2, false) FROM api_key \
        WHERE id > $1 ORDER BY id LIMIT $3";
    let before = (bounds.now - LISTED).as_micros();
    let found = link.all(sql, params![beyond, before, STEP]).await?;
    let mut old = Vec::new();
    for row in &found {
        if get(row, 1)? {
            old.push(get::<i64>(row, 0)?);
        }
    }
    let more = found.len() as i64 == STEP;
    walk.0 = match found.last() {
        Some(last) if more => Pass::At(get(last, 0)?),
        _ => Pass::Ended(bounds.now),
    };
    let sql = "DELETE FROM api_key WHERE id = ANY($1)";
    link.run(sql, params![old]).await?;
    Ok(Tidied {
        rows: old.len(),
        expired: 0,
        more,
    })
}
