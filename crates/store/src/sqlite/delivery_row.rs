//! The rows of deliveries that are not covered by an open mark.

use ringbolt_model::{DeliveryKey, DeliveryState, FinalReason, Timestamp};
use rusqlite::{CachedStatement, Connection};

use super::log::rows::{reason_column, state_column, to_column};
use crate::Settled;

/// Writes rows, with statements that were prepared once for a transaction. An endpoint that is gone
/// for good gets none, since nobody would ever remove it.
pub(super) struct DeliveryRows<'c> {
    insert: CachedStatement<'c>,
    exists: CachedStatement<'c>,
    retry: CachedStatement<'c>,
    end: CachedStatement<'c>,
}

impl<'c> DeliveryRows<'c> {
    pub(super) fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            insert: conn.prepare_cached(
                "INSERT INTO delivery (endpoint_id, message_id, state, next_at, attempts, manual, \
                 reason) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 \
                 WHERE EXISTS (SELECT 1 FROM endpoint WHERE id = ?1) ON CONFLICT DO NOTHING",
            )?,
            exists: conn.prepare_cached(
                "SELECT 1 FROM delivery WHERE endpoint_id = ?1 AND message_id = ?2",
            )?,
            retry: conn.prepare_cached(
                "UPDATE delivery SET state = 0, next_at = ?3, attempts = ?4, manual = 0, \
                 reason = NULL WHERE endpoint_id = ?1 AND message_id = ?2 AND state = 0",
            )?,
            end: conn.prepare_cached(
                "UPDATE delivery SET state = ?3, reason = ?4, manual = 0 \
                 WHERE endpoint_id = ?1 AND message_id = ?2 AND state = 0",
            )?,
        })
    }

    /// A row for a delivery that is due at `due` and was not tried. Returns `false`, and changes
    /// nothing, if there was a row.
    pub(super) fn insert_pending(
        &mut self,
        key: DeliveryKey,
        due: Timestamp,
        manual: bool,
    ) -> rusqlite::Result<bool> {
        let (endpoint, message) = columns(key);
        let row = (
            endpoint,
            message,
            0,
            due.as_micros(),
            0,
            manual,
            None::<i64>,
        );
        if self.insert.execute(row)? > 0 {
            return Ok(true);
        }
        Ok(!self.exists.exists((endpoint, message))?)
    }

    /// A row for a fresh delivery after its first try, if it needs one.
    pub(super) fn insert_settled(
        &mut self,
        key: DeliveryKey,
        at: Timestamp,
        settled: Settled,
    ) -> rusqlite::Result<()> {
        let (endpoint, message) = columns(key);
        let (next_at, attempts) = match settled {
            Settled::Delivered | Settled::Waits => return Ok(()),
            Settled::Retry { at, attempts } => (at, attempts),
            Settled::Failed(_) | Settled::Cancelled => (at, 1),
        };
        let (state, reason) = state_of(settled);
        let row = (
            endpoint,
            message,
            state,
            next_at.as_micros(),
            attempts,
            false,
            reason,
        );
        self.insert.execute(row).map(drop)
    }

    /// What a try made of a delivery that has a row. Says `false`, and changes nothing, if the delivery
    /// is not pending any more.
    pub(super) fn update(&mut self, key: DeliveryKey, settled: Settled) -> rusqlite::Result<bool> {
        let (endpoint, message) = columns(key);
        let changed = match settled {
            Settled::Waits => return Ok(true),
            Settled::Retry { at, attempts } => {
                let row = (endpoint, message, at.as_micros(), attempts);
                self.retry.execute(row)?
            }
            Settled::Delivered | Settled::Failed(_) | Settled::Cancelled => {
                let (state, reason) = state_of(settled);
                self.end.execute((endpoint, message, state, reason))?
            }
        };
        Ok(changed > 0)
    }
}

fn columns(key: DeliveryKey) -> (i64, i64) {
    (to_column(key.endpoint.raw()), to_column(key.message.raw()))
}

fn state_of(settled: Settled) -> (i64, Option<i64>) {
    let (state, reason) = match settled {
        Settled::Delivered => (DeliveryState::Delivered, None),
        Settled::Retry { .. } | Settled::Waits => (DeliveryState::Pending, None),
        Settled::Failed(reason) => (DeliveryState::Failed, Some(reason)),
        Settled::Cancelled => (DeliveryState::Cancelled, Some(FinalReason::Deleted)),
    };
    (state_column(state), reason.map(reason_column))
}
