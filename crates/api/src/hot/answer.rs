//! The answer to a message that was accepted, written without a serializer where it can be.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use ringbolt_delivery::Draft;
use ringbolt_model::message::JSON;
use ringbolt_model::{AppId, Channel, Message, MessageId, Tag};

use crate::message::MessageOut;

/// What was accepted, and how it is to be shown.
pub(super) struct Accepted<'a> {
    pub(super) id: MessageId,
    pub(super) app: AppId,
    pub(super) draft: &'a Draft,
    /// Whether the payload came as JSON, so that it can stand in the answer as it is.
    pub(super) verbatim: bool,
    /// Whether the payload is shown.
    pub(super) with_content: bool,
}

impl Accepted<'_> {
    /// 202 with the message.
    pub(super) fn answer(&self) -> Result<Response<Bytes>, serde_json::Error> {
        let body = if self.verbatim && *self.draft.content_type == *JSON {
            self.write()
        } else {
            self.serialize()?
        };
        let mut answer = Response::new(Bytes::from(body));
        *answer.status_mut() = StatusCode::ACCEPTED;
        answer
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        Ok(answer)
    }

    /// The alphabets of names have nothing that JSON escapes.
    fn write(&self) -> Vec<u8> {
        let Self { id, draft, .. } = self;
        let payload: &[u8] = if self.with_content {
            &draft.payload
        } else {
            b"{}"
        };
        let mut body = String::with_capacity(256);
        body.push_str("{\"id\":\"");
        push(&mut body, id);
        body.push_str("\",\"eventType\":\"");
        body.push_str(draft.event_type.as_str());
        body.push('"');
        if let Some(event_id) = &draft.event_id {
            body.push_str(",\"eventId\":\"");
            body.push_str(event_id.as_str());
            body.push('"');
        }
        list(
            &mut body,
            ",\"channels\":[\"",
            draft.channels.iter().map(Channel::as_str),
        );
        list(
            &mut body,
            ",\"tags\":[\"",
            draft.tags.iter().map(Tag::as_str),
        );
        body.push_str(",\"timestamp\":\"");
        push(&mut body, &id.time());
        body.push_str("\",\"payload\":");
        let mut body = body.into_bytes();
        body.reserve_exact(payload.len() + 1);
        body.extend_from_slice(payload);
        body.push(b'}');
        body
    }

    fn serialize(&self) -> Result<Vec<u8>, serde_json::Error> {
        let draft = self.draft;
        let message = Message {
            id: self.id,
            app: self.app,
            event_type: draft.event_type.clone(),
            event_id: draft.event_id.clone(),
            channels: draft.channels.clone(),
            tags: draft.tags.clone(),
            content_type: draft.content_type.clone(),
            payload: Some(draft.payload.clone()),
            expires_at: draft.expires_at,
        };
        serde_json::to_vec(&MessageOut::new(&message, self.with_content))
    }
}

/// A list of names, if there are any; `begins` leads to the first.
fn list<'a>(body: &mut String, begins: &str, names: impl Iterator<Item = &'a str>) {
    let mut before = begins;
    for name in names {
        body.push_str(before);
        body.push_str(name);
        body.push('"');
        before = ",\"";
    }
    if before != begins {
        body.push(']');
    }
}

fn push(body: &mut String, value: &impl std::fmt::Display) {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = write!(body, "{value}");
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn both(draft: &Draft, with_content: bool) -> [Value; 2] {
        let (id, app) = (MessageId::from(7 << 40), AppId::from(1));
        let accepted = Accepted {
            id,
            app,
            draft,
            verbatim: true,
            with_content,
        };
        let answer = accepted.answer().unwrap();
        assert_eq!(answer.status(), 202);
        [answer.body().to_vec(), accepted.serialize().unwrap()]
            .map(|body| serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn what_is_written_by_hand_is_what_a_serializer_would_write() {
        let mut draft = Draft {
            event_type: "user.created".parse().unwrap(),
            event_id: None,
            channels: [].into(),
            tags: [].into(),
            content_type: JSON.into(),
            payload: Bytes::from_static(br#"{"a": [1.50, null]}"#),
            expires_at: None,
            idempotency: None,
        };
        for with_content in [true, false] {
            let [written, serialized] = both(&draft, with_content);
            assert_eq!(written, serialized);
        }
        draft.event_id = Some("evt-1".parse().unwrap());
        draft.channels = ["a", "b:c"].map(|channel| channel.parse().unwrap()).into();
        draft.tags = ["t", "u+v"].map(|tag| tag.parse().unwrap()).into();
        let [written, serialized] = both(&draft, true);
        assert_eq!(written, serialized);
        assert_eq!(written["channels"], serde_json::json!(["a", "b:c"]));
        assert_eq!(written["tags"], serde_json::json!(["t", "u+v"]));
    }
}
