//! After a crash: open marks become rows.

use ringbolt_model::{DeliveryKey, MessageId, Timestamp};
use rusqlite::Connection;

use crate::sqlite::Fault;
use crate::sqlite::delivery_row::DeliveryRows;
use crate::sqlite::marks;

/// How many marks one transaction turns into rows.
const MARKS: i64 = 1000;

/// What a step did.
pub(super) struct Step {
    /// How many deliveries got rows.
    pub(super) deliveries: usize,
    /// After which mark to go on; absent at the end.
    pub(super) reached: Option<MessageId>,
}

/// Turns the marks after `after` up to `last` into rows that are due at `now`.
pub(super) fn step(
    tx: &Connection,
    after: MessageId,
    last: MessageId,
    now: Timestamp,
) -> Result<Step, Fault> {
    // Without a change, a commit would not prove that the store can be written.
    tx.execute("UPDATE folded SET one = 1", ())?;
    let open = marks::between(tx, after, last, MARKS)?;
    let mut rows = DeliveryRows::prepare(tx)?;
    let mut deliveries = 0;
    for message in &open {
        for endpoint in marks::unsettled(tx, *message)? {
            let key = DeliveryKey {
                message: *message,
                endpoint,
            };
            deliveries += usize::from(rows.insert_pending(key, now, false)?);
        }
        marks::remove(tx, *message)?;
    }
    Ok(Step {
        deliveries,
        reached: open.last().copied(),
    })
}
