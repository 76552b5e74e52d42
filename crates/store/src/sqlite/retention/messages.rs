//! Messages past retention, with their deliveries and attempts; and content whose time is over.

use std::time::Duration;

use ringbolt_model::{FinalReason, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::Bounds;
use super::budget::Budget;
use super::large;
use crate::sqlite::counts::Tallies;
use crate::sqlite::log::expunge;
use crate::sqlite::log::rows::{reason_column, targets, to_column};

pub(super) const EXPIRED_CONTENT: &str = "SELECT id, targets, ifnull(length(payload), 0) \
    FROM message INDEXED BY message_by_expiry WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 1";
pub(super) const OLDEST: &str = "SELECT id, EXISTS (SELECT 1 FROM open_message o WHERE o.id = m.id), \
    targets FROM message m NOT INDEXED WHERE m.id > ?1 AND m.id < ?2 AND m.id <= ?3 ORDER BY m.id LIMIT 1";
pub(super) const TO_BE_TRIED: &str = "SELECT 1 FROM delivery d JOIN endpoint e ON e.id = d.endpoint_id \
    WHERE d.endpoint_id = ?1 AND d.message_id = ?2 AND d.state = 0 \
    AND e.disabled_since IS NULL AND e.deleted_at IS NULL";
pub(super) const OLD_ATTEMPTS: &str = "SELECT id, endpoint_id FROM attempt NOT INDEXED \
    WHERE id < ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
pub(super) const ITS_ATTEMPTS: &str = "SELECT id, endpoint_id FROM attempt INDEXED BY attempt_by_message \
    WHERE message_id = ?1 ORDER BY id LIMIT ?2";
pub(super) const UNFOLDED_ATTEMPT: &str = "SELECT 1 FROM attempt INDEXED BY attempt_by_message \
    WHERE message_id = ?1 AND id > ?2 LIMIT 1";

/// The walk through content whose time is over earlier than retention says. Deliveries that are
/// unfinished by then have failed.
#[derive(Debug, Default)]
pub(super) struct OldContent {
    /// A message, and how many bytes of its targets have no unfinished delivery any more.
    ended: (i64, usize),
}

impl OldContent {
    pub(super) fn expire(
        &mut self,
        tx: &Connection,
        budget: &mut Budget<'_>,
        bounds: &Bounds,
    ) -> rusqlite::Result<()> {
        while budget.is_left() {
            // What has expired and is large is only gone for whoever reads until this has been over it.
            large::remove_gone(tx, budget)?;
            if !budget.is_left() {
                return Ok(());
            }
            let now = bounds.now.as_micros();
            let found = tx
                .prepare_cached(EXPIRED_CONTENT)?
                .query_row([now], |row| {
                    Ok((
                        row.get(0)?,
                        row.get::<_, Vec<u8>>(1)?,
                        row.get::<_, i64>(2)?,
                    ))
                })
                .optional()?;
            let Some((message, owed, bytes)) = found else {
                return Ok(());
            };
            if !self.end_deliveries(tx, budget, message, &owed)? {
                return Ok(());
            }
            expunge::payload(tx, message, bytes)?;
            budget.spend(1);
            if bytes <= expunge::LARGE as i64 {
                tx.prepare_cached("UPDATE message SET expires_at = NULL WHERE id = ?1")?
                    .execute([message])?;
                budget.overwrite(usize::try_from(bytes).unwrap_or(usize::MAX));
            }
        }
        Ok(())
    }

    /// Ends the pending deliveries of a message as failed, and counts them so. Of many targets some are
    /// dealt with in this step, others in the next; says whether that were all.
    fn end_deliveries(
        &mut self,
        tx: &Connection,
        budget: &mut Budget<'_>,
        message: i64,
        owed: &[u8],
    ) -> rusqlite::Result<bool> {
        if self.ended.0 != message {
            self.ended = (message, 0);
        }
        while self.ended.1 < owed.len() {
            if !budget.is_left() {
                return Ok(false);
            }
            let from = self.ended.1;
            let part = &owed[from..owed.len().min(from + PART)];
            budget.expired += end_part(tx, message, part)?;
            budget.spend(part.len() / 8);
            self.ended.1 += part.len();
        }
        Ok(true)
    }
}

fn end_part(tx: &Connection, message: i64, part: &[u8]) -> rusqlite::Result<usize> {
    let mut statement = tx.prepare_cached(
        "UPDATE delivery SET state = 2, reason = ?3 \
         WHERE endpoint_id = ?1 AND message_id = ?2 AND state = 0",
    )?;
    let mut tallies = Tallies::default();
    let mut ended = 0;
    for endpoint in targets(part).map(to_column) {
        let reason = reason_column(FinalReason::Expired);
        if statement.execute([endpoint, message, reason])? > 0 {
            tallies.of(endpoint, message).fail += 1;
            ended += 1;
        }
    }
    tallies.add(tx)?;
    Ok(ended)
}

/// How often messages that were kept for what is still to be tried are looked at again.
const EVERY: Duration = Duration::from_secs(10);

/// The walk through messages past retention. Those with deliveries in memory, or attempts that are not
/// folded, are passed by, and so are those with deliveries that are still to be tried; what is parked
/// ends with its message.
#[derive(Debug, Default)]
pub(super) struct OldMessages {
    passed: i64,
    /// A message, and how many bytes of its targets were looked at.
    looked_at: (i64, usize),
    /// When messages that were kept are looked at again, if there are any.
    again: Option<Timestamp>,
}

impl OldMessages {
    pub(super) fn remove(
        &mut self,
        tx: &Connection,
        budget: &mut Budget<'_>,
        bounds: &Bounds,
    ) -> rusqlite::Result<()> {
        while budget.is_left() {
            let found = tx
                .prepare_cached(OLDEST)?
                .query_row([self.passed, bounds.oldest_id(), bounds.message], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?))
                })
                .optional()?;
            budget.spend(1);
            let Some((message, open, owed)) = found else {
                self.begin_again(bounds.now);
                return Ok(());
            };
            let unfolded = || {
                tx.prepare_cached(UNFOLDED_ATTEMPT)?
                    .exists([message, bounds.attempt])
            };
            match self.standing(tx, budget, message, open || unfolded()?, &owed)? {
                Standing::Unknown => return Ok(()),
                Standing::InUse => self.passed = message,
                Standing::ToBeTried => {
                    self.passed = message;
                    self.again.get_or_insert(bounds.now + EVERY);
                }
                Standing::Over => budget.expired += remove_part(tx, budget, message, Ended::Count)?,
            }
        }
        Ok(())
    }

    /// Whether a message may go. Of many targets some are looked at in this step, others in the next.
    fn standing(
        &mut self,
        tx: &Connection,
        budget: &mut Budget<'_>,
        message: i64,
        in_use: bool,
        owed: &[u8],
    ) -> rusqlite::Result<Standing> {
        if in_use {
            return Ok(Standing::InUse);
        }
        if self.looked_at.0 != message {
            self.looked_at = (message, 0);
        }
        let mut to_be_tried = tx.prepare_cached(TO_BE_TRIED)?;
        while self.looked_at.1 < owed.len() {
            if !budget.is_left() {
                return Ok(Standing::Unknown);
            }
            let from = self.looked_at.1;
            let part = &owed[from..owed.len().min(from + PART)];
            for endpoint in targets(part).map(to_column) {
                if to_be_tried.exists([endpoint, message])? {
                    return Ok(Standing::ToBeTried);
                }
            }
            self.looked_at.1 += part.len();
            budget.spend(part.len() / 64);
        }
        Ok(Standing::Over)
    }

    /// At the end of the walk: what was passed by is looked at again, if kept for long only after a while.
    fn begin_again(&mut self, now: Timestamp) {
        self.looked_at = (0, 0);
        let soon = |at| now < at && at <= now + EVERY;
        if !self.again.is_some_and(soon) {
            (self.passed, self.again) = (0, None);
        }
    }
}

/// How many bytes of targets are looked at between two looks at the clock.
const PART: usize = 8 * 100;

/// Whether a message past retention may go.
enum Standing {
    /// There was no time to find out.
    Unknown,
    /// Some of its deliveries are in memory, or of its attempts not folded and thus not counted.
    InUse,
    /// Some of its deliveries have tries left.
    ToBeTried,
    /// Nothing will be tried any more.
    Over,
}

/// Removes attempts past retention whose message is gone: they ended when it was removed.
pub(super) fn remove_attempts(
    tx: &Connection,
    budget: &mut Budget<'_>,
    bounds: &Bounds,
) -> rusqlite::Result<()> {
    let mut full = true;
    while full && budget.is_left() {
        let most = budget.part();
        let old = attempts(
            tx,
            OLD_ATTEMPTS,
            params![bounds.oldest_id(), bounds.attempt, most as i64],
        )?;
        full = old.len() == most;
        budget.spend(old.len());
        remove_each(tx, &old)?;
    }
    Ok(())
}

/// Removes a part of a message: first its attempts, then its deliveries from the last target on,
/// with the last part the message itself. Returns how many of the deliveries were pending.
pub(super) fn remove_part(
    tx: &Connection,
    budget: &mut Budget<'_>,
    message: i64,
    ended: Ended,
) -> rusqlite::Result<usize> {
    let most = budget.part();
    let made = attempts(tx, ITS_ATTEMPTS, params![message, most as i64])?;
    budget.spend(made.len());
    remove_each(tx, &made)?;
    if made.len() == most || !large::may_go(tx, budget, message)? {
        return Ok(0);
    }
    large::forget(tx, message)?;
    let mut owed: Vec<u8> = tx
        .prepare_cached("SELECT targets FROM message WHERE id = ?1")?
        .query_row([message], |row| row.get(0))?;
    let part = owed.split_off(owed.len().saturating_sub(8 * most) / 8 * 8);
    budget.spend(part.len() / 8);
    let pending = remove_deliveries(tx, message, &part, ended)?;
    if owed.is_empty() {
        tx.prepare_cached("DELETE FROM message WHERE id = ?1")?
            .execute([message])?;
        tx.prepare_cached("DELETE FROM open_message WHERE id = ?1")?
            .execute([message])?;
    } else {
        tx.prepare_cached("UPDATE message SET payload = NULL, targets = ?2 WHERE id = ?1")?
            .execute(params![message, owed])?;
    }
    Ok(pending)
}

/// What the pending deliveries of a message that goes have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// They have failed, and count as that.
    Count,
    /// Nobody will ask: their endpoints are gone.
    Forget,
}

fn remove_deliveries(
    tx: &Connection,
    message: i64,
    part: &[u8],
    ended: Ended,
) -> rusqlite::Result<usize> {
    let mut row = tx.prepare_cached(
        "DELETE FROM delivery WHERE endpoint_id = ?1 AND message_id = ?2 RETURNING state = 0",
    )?;
    let mut entry = tx.prepare_cached(
        "DELETE FROM message_by_endpoint WHERE endpoint_id = ?1 AND message_id = ?2",
    )?;
    let mut tallies = Tallies::default();
    let mut pending = 0;
    for endpoint in targets(part).map(to_column) {
        let was: Option<bool> = row
            .query_row([endpoint, message], |row| row.get(0))
            .optional()?;
        if was == Some(true) {
            pending += 1;
            tallies.of(endpoint, message).fail += 1;
        }
        entry.execute([endpoint, message])?;
    }
    if ended == Ended::Count {
        tallies.add(tx)?;
    }
    Ok(pending)
}

fn attempts(
    tx: &Connection,
    sql: &str,
    bounds: impl rusqlite::Params,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut statement = tx.prepare_cached(sql)?;
    statement
        .query_map(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn remove_each(tx: &Connection, attempts: &[(i64, i64)]) -> rusqlite::Result<()> {
    let mut row = tx.prepare_cached("DELETE FROM attempt WHERE id = ?1")?;
    let mut entry = tx.prepare_cached(
        "DELETE FROM attempt_by_endpoint WHERE endpoint_id = ?1 AND attempt_id = ?2",
    )?;
    for (attempt, endpoint) in attempts {
        row.execute([attempt])?;
        entry.execute([endpoint, attempt])?;
    }
    Ok(())
}
