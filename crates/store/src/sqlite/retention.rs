//! What the store lets go of, a bounded part at a time: content and rows past retention, what deleted
//! applications and endpoints owned, old idempotency keys and API keys.

mod applications;
pub(in crate::sqlite) mod budget;
mod endpoints;
mod keys;
pub(in crate::sqlite) mod large;
mod leftovers;
mod messages;
pub(in crate::sqlite) mod stale;
#[cfg(test)]
pub(in crate::sqlite) mod statements;

use std::time::Duration;

use ringbolt_model::{Timestamp, id};
use rusqlite::Connection;

use super::log::rows::to_column;
use budget::Budget;
use endpoints::Tombstones;
use keys::OldKeys;
use leftovers::Leftovers;
use messages::{OldContent, OldMessages};

/// How many kinds of work there are. They take turns, so that none keeps another waiting for ever.
const JOBS: usize = 7;

/// How far each walk has come. It is kept in memory only: after a start the walks begin anew.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Retention {
    turn: usize,
    content: OldContent,
    messages: OldMessages,
    tombstones: Tombstones,
    leftovers: Leftovers,
    keys: OldKeys,
}

/// What a step of retention goes by.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    now: Timestamp,
    /// Before this, everything is past retention.
    oldest: Timestamp,
    /// Ids up to these are folded; what is younger is not removed, so that folding need not look out.
    message: i64,
    attempt: i64,
}

impl Bounds {
    /// Ids below this one are past retention.
    fn oldest_id(&self) -> i64 {
        to_column(id::at_millisecond(self.oldest))
    }
}

impl Retention {
    /// Removes what may go, until the budget is spent; says whether more is to be removed at once.
    pub(in crate::sqlite) fn step(
        &mut self,
        tx: &Connection,
        budget: &mut Budget<'_>,
        now: Timestamp,
        kept_for: Duration,
    ) -> rusqlite::Result<bool> {
        let (message, attempt) = tx
            .prepare_cached("SELECT message_id, attempt_id FROM folded WHERE one = 1")?
            .query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let bounds = Bounds {
            now,
            oldest: now - kept_for,
            message,
            attempt,
        };
        for _ in 0..JOBS {
            if !budget.is_left() {
                return Ok(true);
            }
            let job = self.turn;
            self.turn = (job + 1) % JOBS;
            self.work(job, tx, budget, &bounds)?;
            if budget.to_read().is_some() {
                self.turn = job;
            }
        }
        Ok(!budget.is_left())
    }

    fn work(
        &mut self,
        job: usize,
        tx: &Connection,
        budget: &mut Budget<'_>,
        bounds: &Bounds,
    ) -> rusqlite::Result<()> {
        match job {
            0 => self.content.expire(tx, budget, bounds),
            1 => self.messages.remove(tx, budget, bounds),
            2 => messages::remove_attempts(tx, budget, bounds),
            3 => self.tombstones.walk(tx, budget, bounds),
            4 => applications::remove(tx, budget, bounds),
            5 => self.leftovers.walk(tx, budget, bounds),
            _ => self.keys.walk(tx, budget, bounds),
        }
    }
}
