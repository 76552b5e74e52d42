//! Recording what became of deliveries: tries, and fresh ones that leave memory untried.

use ringbolt_model::{Attempt, DeliveryKey, Trigger};
use rusqlite::{CachedStatement, Connection, params};

use super::Fault;
use super::accept::Blob;
use super::delivery_row::DeliveryRows;
use super::fold::{self, Watermarks};
use super::log::rows::{failure_column, settled_column, timings_column, to_column};
use super::marks::Marks;
use crate::{Outcome, Settled, Spill};

/// Records outcomes, with statements that were prepared once for a transaction.
///
/// An outcome is written again after a commit that reported a failure and may have happened all the
/// same: what is there already is left as it is.
pub(super) struct Settling<'c> {
    conn: &'c Connection,
    insert_attempt: CachedStatement<'c>,
    delete_mark: CachedStatement<'c>,
}

impl<'c> Settling<'c> {
    pub(super) fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            conn,
            insert_attempt: conn.prepare_cached(
                "INSERT INTO attempt (id, app_id, message_id, endpoint_id, at, manual, status, \
                 failure, settled, url, address, detail, timings, headers, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
                 ON CONFLICT DO NOTHING",
            )?,
            delete_mark: conn.prepare_cached("DELETE FROM open_message WHERE id = ?1")?,
        })
    }

    /// Records a try, and what it made of its delivery.
    pub(super) fn outcome(
        &mut self,
        outcome: &Outcome,
        rows: &mut DeliveryRows<'_>,
        marks: &mut Marks,
        watermarks: &Watermarks,
    ) -> Result<(), Fault> {
        let Outcome {
            attempt,
            fresh,
            settled,
        } = outcome;
        let key = attempt.delivery;
        let settled = &self.counted(key, *fresh, *settled, rows)?;
        if !self.write_attempt(attempt, *settled)? {
            return Ok(());
        }
        if watermarks.pass_attempt(attempt.id.raw()) {
            let (message, endpoint) = (key.message.raw(), key.endpoint.raw());
            let settled = settled_column(*settled);
            fold::late_attempt(self.conn, attempt.id.raw(), message, endpoint, settled)?;
        }
        if *fresh && *settled != Settled::Waits {
            rows.insert_settled(key, attempt.at, *settled)?;
            self.settle(key, marks)?;
        }
        Ok(())
    }

    /// What a try counts for. One at a delivery that ended meanwhile, by tidying for instance, changes
    /// nothing any more, so the end is not counted twice.
    fn counted(
        &self,
        key: DeliveryKey,
        fresh: bool,
        settled: Settled,
        rows: &mut DeliveryRows<'_>,
    ) -> Result<Settled, Fault> {
        let counts = fresh || rows.update(key, settled)?;
        Ok(if counts { settled } else { Settled::Waits })
    }

    /// Gives fresh deliveries rows of their own.
    pub(super) fn spill(
        &mut self,
        spill: &Spill,
        rows: &mut DeliveryRows<'_>,
        marks: &mut Marks,
    ) -> Result<(), Fault> {
        let manual = spill.trigger == Trigger::Manual;
        for key in &spill.deliveries {
            if rows.insert_pending(*key, spill.due, manual)? {
                self.settle(*key, marks)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, key: DeliveryKey, marks: &mut Marks) -> Result<(), Fault> {
        if marks.settle(key.message) {
            self.delete_mark.execute([to_column(key.message.raw())])?;
        }
        Ok(())
    }

    /// Says whether it was not there yet.
    fn write_attempt(&mut self, attempt: &Attempt, settled: Settled) -> Result<bool, Fault> {
        let filled = |bytes: &'_ bytes::Bytes| !bytes.is_empty();
        let written = self.insert_attempt.execute(params![
            to_column(attempt.id.raw()),
            to_column(attempt.app.raw()),
            to_column(attempt.delivery.message.raw()),
            to_column(attempt.delivery.endpoint.raw()),
            attempt.at.as_micros(),
            attempt.trigger == Trigger::Manual,
            attempt.status,
            attempt.failure.map(failure_column),
            settled_column(settled),
            &*attempt.url,
            attempt.address.map(|address| address.to_string()),
            attempt.detail.as_deref(),
            &timings_column(&attempt.timings)[..],
            Blob(Some(&attempt.headers).filter(|b| filled(b)).map(|b| &b[..])),
            Blob(Some(&attempt.body).filter(|b| filled(b)).map(|b| &b[..])),
        ])?;
        Ok(written > 0)
    }
}
