//! A message as its sender wrote it: read without copying, checked, and made a draft.

mod payload;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ringbolt_delivery::Draft;
use ringbolt_gate::mend::{self, Mended};
use ringbolt_gate::shape::Shape;
use ringbolt_gate::{Faults, Problem, body};
use ringbolt_model::{EventTypeName, MessageId, Timestamp, Uid};
use ringbolt_store::IdempotencyKey;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::text::Text;
use crate::application::ApplicationIn;
pub(super) use payload::too_large;

/// The most channels of a message.
const CHANNELS: usize = 10;
/// The most tags of a message.
const TAGS: usize = 5;
/// For how many days a message can ask its content to be kept.
const DAYS: std::ops::RangeInclusive<i64> = 1..=90;
/// The same in hours.
const HOURS: std::ops::RangeInclusive<i64> = 1..=90 * 24;
/// A message to be accepted.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageIn<'a> {
    /// What happened.
    #[serde(borrow)]
    #[schema(required = true, value_type = String, max_length = 256)]
    event_type: Option<Text<'a>>,
    /// Any JSON value; its bytes reach receivers as they are.
    #[serde(borrow, default, deserialize_with = "even_null")]
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<&'a RawValue>,
    /// Text to be sent instead of JSON.
    #[schema(value_type = Option<String>)]
    payload_text: Option<Text<'a>>,
    /// Bytes to be sent instead of JSON.
    #[schema(value_type = Option<String>)]
    payload_base64: Option<Text<'a>>,
    /// The media type of the payload.
    #[schema(value_type = Option<String>)]
    content_type: Option<Text<'a>>,
    /// Your own identifier of the event; unique within the application for a day.
    #[schema(value_type = Option<String>)]
    event_id: Option<Text<'a>>,
    /// Where it is of interest, at most 10.
    #[schema(value_type = Option<Vec<String>>)]
    channels: Option<Vec<Text<'a>>>,
    /// What lists can be narrowed by, at most 5.
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<Vec<Text<'a>>>,
    /// For how many days the content is kept, if less than configured.
    #[schema(minimum = 1, maximum = 90)]
    payload_retention_period: Option<i64>,
    /// The same in hours.
    #[schema(minimum = 1, maximum = 2160)]
    payload_retention_hours: Option<i64>,
    /// The application, to be created if it is not there; its uid must be that of the path.
    pub(super) application: Option<ApplicationIn>,
    /// Refused if it lies ahead.
    #[schema(value_type = Option<String>, format = DateTime)]
    deliver_at: Option<Timestamp>,
    /// `rawPayload` is sent instead of `payload`.
    transformations_params: Option<Transformations<'a>>,
}

/// What the SDKs use of it.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Transformations<'a> {
    /// Text that is sent as it is.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    raw_payload: Option<Text<'a>>,
    /// Of these only `content-type` is used, with a raw payload.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    headers: Option<BTreeMap<String, Text<'a>>>,
}

fn even_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// What a draft needs besides the message.
pub(super) struct Around<'a> {
    /// The content type of JSON.
    pub(super) json: &'a Arc<str>,
    /// The most bytes of a payload.
    pub(super) max_payload: usize,
    /// The time of day.
    pub(super) now: Timestamp,
    /// The request's idempotency key.
    pub(super) idempotency: Option<IdempotencyKey>,
}

impl<'a> MessageIn<'a> {
    /// Reads it, or says everything that is wrong with it.
    pub(super) fn read(sent: &'a [u8], around: &Around<'_>) -> Result<Self, Problem> {
        body::object(sent)?;
        serde_json::from_slice(sent).map_err(|_| explain(sent, around))
    }

    /// 422 with the faults that were found and all others.
    pub(super) fn wrong(&self, around: &Around<'_>, faults: Faults) -> Problem {
        match self.draft(around, faults) {
            Err(problem) => problem,
            Ok(_) => Problem::internal("a draft was made of a message with faults"),
        }
    }
}

/// What is wrong with a message that could not be read: its types, and what can be checked without them.
fn explain(sent: &[u8], around: &Around<'_>) -> Problem {
    let stop = |text: &[u8]| mend::stop::<MessageIn<'_>>(text);
    let Mended { text, mut faults } = match mend::mend(sent, &Shape::of::<MessageIn<'_>>(), stop) {
        Ok(mended) => mended,
        Err(problem) => return problem,
    };
    let Ok(mut rest) = serde_json::from_slice::<MessageIn<'_>>(&text) else {
        return faults.into_problem();
    };
    if let Some(inline) = rest.application.take() {
        faults.nested("application", |faults| inline.look(faults));
    }
    rest.wrong(around, faults)
}

/// Channels or tags, sorted, each once.
fn labels<T: FromStr<Err: Display> + Ord>(
    faults: &mut Faults,
    field: &str,
    given: Option<&[Text<'_>]>,
    most: usize,
) -> Arc<[T]> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Arc::default();
    };
    if given.len() > most {
        faults.add(field, format!("must be at most {most}"));
        return Arc::default();
    }
    let parsed = given
        .iter()
        .filter_map(|text| faults.parsed(field, Some(&*text.0)));
    let mut labels: Vec<T> = parsed.collect();
    labels.sort_unstable();
    labels.dedup();
    labels.into()
}

impl MessageIn<'_> {
    /// Whether the payload is JSON for certain.
    pub(super) fn came_as_json(&self) -> bool {
        let params = self.transformations_params.as_ref();
        self.payload.is_some() && params.is_none_or(|params| params.raw_payload.is_none())
    }

    /// Checks it and copies the payload, once.
    pub(super) fn draft(&self, around: &Around<'_>, mut faults: Faults) -> Result<Draft, Problem> {
        let event_type = faults.required("eventType", self.event_type.as_ref());
        let event_type: Option<EventTypeName> =
            faults.parsed("eventType", event_type.map(|text| &*text.0));
        let event_id = self.event_id.as_ref().and_then(|text| {
            faults.check("eventId", Uid::distinct_from(&text.0, MessageId::PREFIX))
        });
        let channels = labels(&mut faults, "channels", self.channels.as_deref(), CHANNELS);
        let tags = labels(&mut faults, "tags", self.tags.as_deref(), TAGS);
        let expires_at = self.expiry(&mut faults).map(|span| around.now + span);
        if self.deliver_at.is_some_and(|at| at > around.now) {
            faults.add("deliverAt", "delivering later is not possible yet");
        }
        let found = self.payload(&mut faults, around.max_payload)?;
        let (Some(event_type), Some((payload, default_type))) = (event_type, found) else {
            return Err(faults.into_problem());
        };
        let content_type = match self.given_type(&mut faults) {
            Some(given) => given.into(),
            None if default_type == ringbolt_model::message::JSON => around.json.clone(),
            None => default_type.into(),
        };
        faults.end()?;
        Ok(Draft {
            event_type,
            event_id,
            channels,
            tags,
            content_type,
            payload,
            expires_at,
            idempotency: around.idempotency,
        })
    }

    fn expiry(&self, faults: &mut Faults) -> Option<Duration> {
        let mut span = |field, value: Option<i64>, range: std::ops::RangeInclusive<i64>, hour| {
            let value = value?;
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                faults.add(field, format!("must be between {least} and {most}"));
            }
            Some(Duration::from_secs(
                u64::try_from(value).unwrap_or(0) * hour,
            ))
        };
        let days = span(
            "payloadRetentionPeriod",
            self.payload_retention_period,
            DAYS,
            24 * 3600,
        );
        let hours = span(
            "payloadRetentionHours",
            self.payload_retention_hours,
            HOURS,
            3600,
        );
        hours.or(days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn draft(json: &str) -> Result<Draft, Problem> {
        let around = Around {
            json: &ringbolt_model::message::JSON.into(),
            max_payload: 100,
            now: Timestamp::from_seconds(1_000),
            idempotency: None,
        };
        MessageIn::read(json.as_bytes(), &around)?.draft(&around, Faults::default())
    }

    fn wrong(json: &str) -> (u16, String) {
        let problem = draft(json).unwrap_err();
        let field = problem.faults().first().map_or("", |fault| &fault.loc[1]);
        (problem.status().as_u16(), field.to_owned())
    }

    #[test]
    fn what_is_wrong_is_named() {
        let of = |status, field: &str| (status, field.to_owned());
        assert_eq!(wrong(r#"{"payload":{}}"#), of(422, "eventType"));
        assert_eq!(
            wrong(r#"{"eventType":"a b","payload":{}}"#),
            of(422, "eventType")
        );
        assert_eq!(wrong(r#"{"eventType":"a"}"#), of(422, "payload"));
        assert_eq!(
            wrong(r#"{"eventType":"a","payload":1,"payloadText":""}"#),
            of(422, "payload")
        );
        assert_eq!(
            wrong(r#"{"eventType":"a","payload":1,"eventId":"a b"}"#),
            of(422, "eventId")
        );
        assert_eq!(
            wrong(r#"{"eventType":"a","payload":1,"eventId":"msg_x"}"#),
            of(422, "eventId")
        );
        assert_eq!(
            wrong(r#"{"eventType":"a","payload":1,"channels":["a b"]}"#),
            of(422, "channels")
        );
        for tags in [r#"["a b"]"#, r#"["1","2","3","4","5","6"]"#] {
            let json = format!(r#"{{"eventType":"a","payload":1,"tags":{tags}}}"#);
            assert_eq!(wrong(&json), of(422, "tags"));
        }
        assert_eq!(
            wrong(r#"{"eventType":"a","payload":1,"payloadRetentionPeriod":91}"#),
            of(422, "payloadRetentionPeriod"),
        );
        assert_eq!(
            wrong(r#"{"eventType":"a","payload":1,"deliverAt":"2030-01-01T00:00:00Z"}"#),
            of(422, "deliverAt"),
        );
        assert_eq!(
            wrong(r#"{"eventType":"a","payloadText":"","contentType":"a\r\nb: c"}"#),
            of(422, "contentType"),
        );
        let large = format!(r#"{{"eventType":"a","payload":"{}"}}"#, "x".repeat(99));
        assert_eq!(wrong(&large), of(413, ""));
    }

    #[test]
    fn channels_and_tags_are_sets_and_retention_is_a_span() {
        let json = r#"{"eventType":"a","payload":1,"channels":["b","a","b"],"tags":["u","t","u"],
            "payloadRetentionHours":2,"eventId":null}"#;
        let made = draft(json).unwrap();
        let names: Vec<_> = made.channels.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a", "b"]);
        let names: Vec<_> = made.tags.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["t", "u"]);
        assert_eq!(made.expires_at, Some(Timestamp::from_seconds(1_000 + 7200)));
        assert_eq!(made.event_id, None);
    }
}
