//! What the filters of lists take.

use ringbolt_model::{Channel, DeliveryState, EndpointId, EventTypeName, Tag};

use crate::{AttemptFilter, MessageFilter, StatusFilter};

/// What is wanted of a message, by what it is labelled with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'f> {
    event_types: &'f [EventTypeName],
    channel: Option<&'f Channel>,
    tag: Option<&'f Tag>,
}

impl<'f> Labels<'f> {
    /// As a filter of messages says.
    pub(crate) fn of_messages(filter: &'f MessageFilter) -> Self {
        Self {
            event_types: &filter.event_types,
            channel: filter.channel.as_ref(),
            tag: filter.tag.as_ref(),
        }
    }

    /// As a filter of attempts says of their messages.
    pub(crate) fn of_attempts(filter: &'f AttemptFilter) -> Self {
        Self {
            event_types: &filter.event_types,
            channel: filter.channel.as_ref(),
            tag: filter.tag.as_ref(),
        }
    }

    /// Whether every message is wanted.
    pub(crate) fn take_all(&self) -> bool {
        self.event_types.is_empty() && self.channel.is_none() && self.tag.is_none()
    }

    /// Whether a message that is labelled so is wanted.
    pub(crate) fn take(
        &self,
        event_type: &EventTypeName,
        channels: &[Channel],
        tags: &[Tag],
    ) -> bool {
        (self.event_types.is_empty() || self.event_types.contains(event_type))
            && has(channels, self.channel)
            && has(tags, self.tag)
    }
}

/// Whether a label is among these, if one is wanted.
fn has<T: PartialEq>(labels: &[T], wanted: Option<&T>) -> bool {
    wanted.is_none_or(|wanted| labels.contains(wanted))
}

/// Whether an attempt is wanted, as far as it says so itself.
pub(crate) fn attempt_is_wanted(
    filter: &AttemptFilter,
    succeeded: bool,
    answered: u16,
    endpoint: EndpointId,
) -> bool {
    let status = match filter.status {
        None => true,
        Some(StatusFilter::Success) => succeeded,
        Some(StatusFilter::Fail) => !succeeded,
        Some(StatusFilter::Pending | StatusFilter::Cancelled) => false,
    };
    let class = filter
        .status_class
        .is_none_or(|class| answered / 100 == class.0 / 100);
    status && class && filter.endpoint.is_none_or(|wanted| wanted == endpoint)
}

/// Whether a delivery in this state passes the filter.
pub(crate) const fn stands_so(status: StatusFilter, state: DeliveryState) -> bool {
    matches!(
        (status, state),
        (StatusFilter::Success, DeliveryState::Delivered)
            | (StatusFilter::Pending, DeliveryState::Pending)
            | (StatusFilter::Fail, DeliveryState::Failed)
            | (StatusFilter::Cancelled, DeliveryState::Cancelled)
    )
}
