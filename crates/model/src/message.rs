//! Messages: events, accepted; their bytes never change.

use std::sync::Arc;

use bytes::Bytes;

use crate::{AppId, Channel, EventTypeName, MessageId, Tag, Timestamp, Uid};

/// The content type of a payload that came as a JSON value.
pub const JSON: &str = "application/json";

/// One event, accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id; the time in it is when the message was accepted.
    pub id: MessageId,
    /// The application it belongs to.
    pub app: AppId,
    /// What happened.
    pub event_type: EventTypeName,
    /// The sender's own identifier of the event; unique within the application for a day.
    pub event_id: Option<Uid>,
    /// Where it is of interest.
    pub channels: Arc<[Channel]>,
    /// What lists of messages can be narrowed by; it decides nothing else.
    pub tags: Arc<[Tag]>,
    /// The media type of the payload.
    pub content_type: Arc<str>,
    /// The bytes that receivers get, exactly as they were sent to us. It owns its memory: it is no
    /// slice of a larger read buffer. `None` when the content has expired or was expunged.
    pub payload: Option<Bytes>,
    /// When its content is to be removed, if earlier than the store's own retention says.
    pub expires_at: Option<Timestamp>,
}
