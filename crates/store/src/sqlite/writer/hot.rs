//! The hot path's part of a transaction.

use rusqlite::Connection;

use super::Writer;
use crate::AcceptRefused;
use crate::sqlite::Fault;
use crate::sqlite::accept::Accepting;
use crate::sqlite::delivery_row::DeliveryRows;
use crate::sqlite::outcome::Settling;
use crate::sqlite::queue::Settle;

/// Whether each write gets a savepoint. They cost as much as a write, and are needed only once a write
/// has failed in a way that its own rules do not foresee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    None,
    EachWrite,
}

impl Writer {
    /// Begins a transaction and writes the batch's outcomes, spills and messages.
    pub(super) fn write_hot(&mut self, care: Care) -> Result<(), Fault> {
        let Self {
            shared,
            conn,
            marks,
            batch,
            answers,
            doubt,
            pause,
            ..
        } = self;
        let conn = conn.as_ref().ok_or_else(super::lost)?;
        let watermarks = &shared.watermarks;
        shared.begin(conn)?;
        if let Some(doubt) = doubt {
            doubt.resolve(conn, marks)?;
        }
        if !pause.is_zero() {
            // Without a change, a commit would prove nothing.
            conn.execute("UPDATE folded SET one = 1", ())?;
        }
        answers.clear();
        if batch.settles.is_empty() && batch.accepts.is_empty() {
            return Ok(());
        }
        let mut rows = DeliveryRows::prepare(conn)?;
        let mut settling = Settling::prepare(conn)?;
        for settle in &batch.settles {
            let position = marks.position();
            let done = carefully(conn, care, || match settle {
                Settle::Outcome(outcome) => settling.outcome(outcome, &mut rows, marks, watermarks),
                Settle::Spill(spill) => settling.spill(spill, &mut rows, marks),
            })?;
            if let Err(fault) = done {
                marks.undo_to(position);
                tracing::error!(?fault, "what became of a delivery cannot be written");
            }
        }
        if batch.accepts.is_empty() {
            return Ok(());
        }
        let mut accepting = Accepting::prepare(conn)?;
        for accept in &batch.accepts {
            let position = marks.position();
            let done = carefully(conn, care, || {
                accepting.accept(accept, &mut rows, marks, &shared.recent_keys, watermarks)
            })?;
            answers.push(done.unwrap_or_else(|fault| {
                marks.undo_to(position);
                shared.recent_keys.forget();
                Err(AcceptRefused::Store(fault.into()))
            }));
        }
        Ok(())
    }
}

/// Runs a write. With care, one that fails is undone on its own: that is the inner result. The outer
/// one means that the transaction is lost.
fn carefully<T>(
    conn: &Connection,
    care: Care,
    write: impl FnOnce() -> Result<T, Fault>,
) -> Result<Result<T, Fault>, Fault> {
    if care == Care::None {
        return write().map(Ok);
    }
    conn.prepare_cached("SAVEPOINT hot")?.execute(())?;
    let done = write();
    match &done {
        Err(fault) if fault.is_of_the_file() || conn.is_autocommit() => return done.map(Ok),
        Err(_) => conn.prepare_cached("ROLLBACK TO hot")?.execute(())?,
        Ok(_) => 0,
    };
    conn.prepare_cached("RELEASE hot")?.execute(())?;
    Ok(done)
}
