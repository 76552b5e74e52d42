//! Messages as clients read them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringbolt_model::message::JSON;
use ringbolt_model::{Channel, EventTypeName, Message, MessageId, Tag, Timestamp, Uid};
use serde::Serialize;
use serde_json::value::RawValue;

/// A message.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageOut {
    /// Its id; receivers see it as `webhook-id`.
    #[schema(value_type = String)]
    id: MessageId,
    /// What happened.
    #[schema(value_type = String)]
    event_type: EventTypeName,
    /// Your own identifier of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    event_id: Option<Uid>,
    /// Where it is of interest.
    #[serde(skip_serializing_if = "<[Channel]>::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    channels: Arc<[Channel]>,
    /// What lists can be narrowed by.
    #[serde(skip_serializing_if = "<[Tag]>::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    tags: Arc<[Tag]>,
    /// The payload as it was sent. `{}` if the content was not asked for, `{"expired":true}` if it is
    /// gone, a string if it is text and no JSON.
    #[schema(value_type = serde_json::Value)]
    payload: Box<RawValue>,
    /// The payload if it is neither JSON nor text.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    /// The media type of the payload, if it is not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

impl MessageOut {
    pub(crate) fn new(message: &Message, with_content: bool) -> Self {
        let (payload, payload_base64) = match &message.payload {
            _ if !with_content => (raw("{}"), None),
            None => (raw(r#"{"expired":true}"#), None),
            Some(bytes) => show(bytes),
        };
        Self {
            id: message.id,
            event_type: message.event_type.clone(),
            event_id: message.event_id.clone(),
            channels: message.channels.clone(),
            tags: message.tags.clone(),
            payload,
            payload_base64,
            content_type: (*message.content_type != *JSON)
                .then(|| message.content_type.to_string()),
            timestamp: message.id.time(),
        }
    }
}

/// The bytes as JSON: as they are, as a string, or as base64 beside an empty object.
fn show(bytes: &[u8]) -> (Box<RawValue>, Option<String>) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return (raw("{}"), Some(STANDARD.encode(bytes)));
    };
    // A raw payload may be called JSON and be none.
    let shown =
        RawValue::from_string(text.to_owned()).or_else(|_| serde_json::value::to_raw_value(text));
    (shown.unwrap_or_else(|_| raw("{}")), None)
}

fn raw(json: &'static str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn shown(payload: Option<&[u8]>, with_content: bool) -> String {
        let message = Message {
            id: MessageId::from(1),
            app: ringbolt_model::AppId::from(1),
            event_type: "a.b".parse().unwrap(),
            event_id: None,
            channels: Arc::default(),
            tags: Arc::default(),
            content_type: JSON.into(),
            payload: payload.map(Bytes::copy_from_slice),
            expires_at: None,
        };
        let out = serde_json::to_string(&MessageOut::new(&message, with_content)).unwrap();
        out.split_once("\"payload\":")
            .unwrap()
            .1
            .split_once(",\"timestamp")
            .unwrap()
            .0
            .to_owned()
    }

    #[test]
    fn a_payload_is_shown_as_it_was_sent() {
        assert_eq!(
            shown(Some(br#"{"b": 1.0, "a":1e3}"#), true),
            r#"{"b": 1.0, "a":1e3}"#
        );
        assert_eq!(shown(Some(b"{}"), false), "{}");
        assert_eq!(shown(None, true), r#"{"expired":true}"#);
    }

    #[test]
    fn what_is_no_json_is_text_or_base64() {
        assert_eq!(shown(Some(b"hello \"you\""), true), r#""hello \"you\"""#);
        assert_eq!(
            shown(Some(&[0xff, 0xfe]), true),
            r#"{},"payloadBase64":"//4=""#
        );
    }
}
