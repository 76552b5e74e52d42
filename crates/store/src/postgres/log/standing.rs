//! Where a delivery stands: a row says so; without one a node has it in memory.

use ringbolt_model::{DeliveryState, EndpointId, MessageId, Timestamp};

use crate::DeliveryView;
use crate::postgres::Fault;
use crate::postgres::column::{get, to_column};
use crate::postgres::link::{Link, params};

/// What of an endpoint decides how its deliveries stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) app: i64,
    pub(super) disabled: bool,
    pub(super) deleted: bool,
}

/// The owner of an endpoint that is there.
pub(super) async fn owner(link: Link<'_>, endpoint: EndpointId) -> Result<Owner, Fault> {
    let sql = "SELECT app_id, disabled_since IS NOT NULL FROM endpoint WHERE id = $1 AND deleted_at IS NULL";
    let row = link.one(sql, params![to_column(endpoint.raw())]).await?;
    Ok(Owner {
        app: get(&row, 0)?,
        disabled: get(&row, 1)?,
        deleted: false,
    })
}

/// How a delivery stands that has ended so, or waits until then, or is in memory. What is pending for a deleted endpoint
/// reads as cancelled.
pub(super) fn view(
    message: MessageId,
    owner: Owner,
    ended: Option<DeliveryState>,
    next_at: Option<i64>,
) -> DeliveryView {
    let state = match ended {
        Some(state) if next_at.is_none() => state,
        _ if owner.deleted => DeliveryState::Cancelled,
        _ => DeliveryState::Pending,
    };
    let pending = state == DeliveryState::Pending;
    let due = || next_at.map_or_else(|| message.time(), Timestamp::from_micros);
    DeliveryView {
        state,
        parked: pending && owner.disabled,
        next_attempt: (pending && !owner.disabled).then(due),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: Owner = Owner {
        app: 1,
        disabled: false,
        deleted: false,
    };

    fn stands(owner: Owner, ended: Option<DeliveryState>, next_at: Option<i64>) -> DeliveryView {
        view(MessageId::from(1 << 32), owner, ended, next_at)
    }

    #[test]
    fn a_row_decides_and_without_one_it_is_in_memory() {
        let failed = stands(LIVE, Some(DeliveryState::Failed), None);
        assert_eq!(
            (failed.state, failed.next_attempt),
            (DeliveryState::Failed, None)
        );
        let waits = stands(LIVE, None, Some(5));
        assert_eq!(waits.next_attempt, Some(Timestamp::from_micros(5)));
        let in_memory = stands(LIVE, None, None);
        assert_eq!(in_memory.state, DeliveryState::Pending);
        assert_eq!(
            in_memory.next_attempt,
            Some(MessageId::from(1 << 32).time())
        );
    }

    #[test]
    fn what_a_disabled_endpoint_is_owed_is_parked_and_a_deleted_one_is_owed_nothing() {
        let disabled = Owner {
            disabled: true,
            ..LIVE
        };
        let parked = stands(disabled, None, Some(5));
        assert!(parked.parked && parked.next_attempt.is_none());
        let gone = Owner {
            deleted: true,
            ..LIVE
        };
        assert_eq!(stands(gone, None, Some(5)).state, DeliveryState::Cancelled);
        assert_eq!(stands(gone, None, None).state, DeliveryState::Cancelled);
        let delivered = stands(gone, Some(DeliveryState::Delivered), None);
        assert_eq!(delivered.state, DeliveryState::Delivered);
    }
}
