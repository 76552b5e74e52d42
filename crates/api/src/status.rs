//! How the state of a delivery and of an attempt look to a client.

use ringbolt_gate::{Problem, Query};
use ringbolt_model::DeliveryState;
use ringbolt_store::{DeliveryView, StatusFilter};

/// A state, as the SDKs number and name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) number: u8,
    pub(crate) text: &'static str,
}

pub(crate) const SUCCESS: Shown = Shown {
    number: 0,
    text: "success",
};
pub(crate) const PENDING: Shown = Shown {
    number: 1,
    text: "pending",
};
pub(crate) const FAIL: Shown = Shown {
    number: 2,
    text: "fail",
};
pub(crate) const CANCELED: Shown = Shown {
    number: 4,
    text: "canceled",
};

/// The state of a delivery. Older SDKs do not know cancelled deliveries and fail to read them; newer
/// ones say that they do by `expanded_statuses`.
pub(crate) const fn of_delivery(view: &DeliveryView, expanded: bool) -> Shown {
    match view.state {
        DeliveryState::Delivered => SUCCESS,
        DeliveryState::Pending => PENDING,
        DeliveryState::Failed => FAIL,
        DeliveryState::Cancelled if expanded => CANCELED,
        DeliveryState::Cancelled => FAIL,
    }
}

/// Whether the client knows all states.
pub(crate) fn expanded(query: &Query) -> Result<bool, Problem> {
    query.flag("expanded_statuses", false)
}

/// The state to filter by. What is being sent is pending until it has ended.
pub(crate) fn filter(query: &Query) -> Result<Option<StatusFilter>, Problem> {
    const EXPECTED: &str = "0 (success), 1 (pending), 2 (fail), 3 (sending) or 4 (canceled)";
    let Some(number) = query.expect::<u8>("status", EXPECTED)? else {
        return Ok(None);
    };
    match number {
        0 => Ok(Some(StatusFilter::Success)),
        1 | 3 => Ok(Some(StatusFilter::Pending)),
        2 => Ok(Some(StatusFilter::Fail)),
        4 => Ok(Some(StatusFilter::Cancelled)),
        _ => Err(Problem::invalid_at(
            "query",
            "status",
            format!("expected {EXPECTED}"),
        )),
    }
}
