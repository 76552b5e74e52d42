//! Where a delivery stands: its row says, or the open mark and the attempts do.

use ringbolt_model::{DeliveryState, EndpointId, MessageId, Timestamp};
use rusqlite::{Connection, params};

use super::messages::Owner;
use super::rows::to_column;
use crate::DeliveryView;

/// Whether an attempt at a delivery succeeded.
pub(super) const SUCCEEDED: &str = "SELECT EXISTS (SELECT 1 FROM attempt INDEXED BY attempt_by_message \
    WHERE message_id = ?1 AND endpoint_id = ?2 AND failure IS NULL)";

/// What the tables say about a delivery.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The state in its row, if it has one.
    pub(super) row: Option<DeliveryState>,
    /// When it is due by its row, in microseconds.
    pub(super) next_at: Option<i64>,
    /// Whether its message has an open mark.
    pub(super) open: bool,
}

impl Standing {
    /// Where the delivery stands. `succeeded` looks for a successful attempt; it is asked only if
    /// need be: a live endpoint's delivery that has neither row nor open mark was delivered, for
    /// whatever else becomes of it leaves a row.
    pub(super) fn view(
        &self,
        message: MessageId,
        owner: Owner,
        succeeded: impl FnOnce() -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<DeliveryView> {
        let settled = match self.row {
            Some(state) => state,
            None if !self.open && !owner.deleted => DeliveryState::Delivered,
            None if succeeded()? => DeliveryState::Delivered,
            None => DeliveryState::Pending,
        };
        let pending = settled == DeliveryState::Pending;
        let state = if pending && owner.deleted {
            DeliveryState::Cancelled
        } else {
            settled
        };
        let parked = state == DeliveryState::Pending && owner.disabled;
        let planned = state == DeliveryState::Pending && !parked;
        let due = self
            .next_at
            .map_or_else(|| message.time(), Timestamp::from_micros);
        Ok(DeliveryView {
            state,
            parked,
            next_attempt: planned.then_some(due),
        })
    }
}

/// Whether an attempt at a delivery succeeded.
pub(super) fn succeeded(
    conn: &Connection,
    message: MessageId,
    endpoint: EndpointId,
) -> rusqlite::Result<bool> {
    conn.prepare_cached(SUCCEEDED)?.query_row(
        params![to_column(message.raw()), to_column(endpoint.raw())],
        |row| row.get(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: Owner = Owner {
        app: 1,
        disabled: false,
        deleted: false,
    };

    fn view(standing: Standing, owner: Owner, succeeded: bool) -> DeliveryView {
        standing
            .view(MessageId::from(1 << 32), owner, || Ok(succeeded))
            .unwrap()
    }

    #[test]
    fn a_row_decides() {
        let row = Standing {
            row: Some(DeliveryState::Failed),
            next_at: Some(5),
            open: true,
        };
        assert_eq!(view(row, LIVE, true).state, DeliveryState::Failed);
    }

    #[test]
    fn without_a_row_the_mark_and_the_attempts_decide() {
        let open = Standing {
            row: None,
            next_at: None,
            open: true,
        };
        assert_eq!(view(open, LIVE, true).state, DeliveryState::Delivered);
        let waiting = view(open, LIVE, false);
        assert_eq!(waiting.state, DeliveryState::Pending);
        assert_eq!(waiting.next_attempt, Some(MessageId::from(1 << 32).time()));
        let settled = Standing {
            open: false,
            ..open
        };
        assert_eq!(view(settled, LIVE, false).state, DeliveryState::Delivered);
    }

    #[test]
    fn what_a_disabled_endpoint_is_owed_is_parked_and_a_deleted_one_is_owed_nothing() {
        let due = Standing {
            row: Some(DeliveryState::Pending),
            next_at: Some(5),
            open: false,
        };
        let parked = view(
            due,
            Owner {
                disabled: true,
                ..LIVE
            },
            false,
        );
        assert!(parked.parked && parked.next_attempt.is_none());
        let gone = Owner {
            deleted: true,
            ..LIVE
        };
        assert_eq!(view(due, gone, false).state, DeliveryState::Cancelled);
        let settled = Standing {
            row: None,
            next_at: None,
            open: false,
        };
        assert_eq!(view(settled, gone, true).state, DeliveryState::Delivered);
        assert_eq!(view(settled, gone, false).state, DeliveryState::Cancelled);
    }
}
