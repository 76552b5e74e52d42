//! What a message delivers: the bytes of its payload, however they were written, and what they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ringbolt_gate::{Faults, Problem};
use ringbolt_model::message::JSON;
use serde_json::value::RawValue;

use super::MessageIn;
use crate::hot::text::Text;

/// The longest content type, in bytes.
const LONGEST_TYPE: usize = 256;

const PLAIN: &str = "text/plain; charset=utf-8";
const BINARY: &str = "application/octet-stream";

impl MessageIn<'_> {
    /// The bytes to deliver with what they are if the sender does not say.
    pub(super) fn payload(
        &self,
        faults: &mut Faults,
        most: usize,
    ) -> Result<Option<(Bytes, &'static str)>, Problem> {
        let params = self.transformations_params.as_ref();
        let raw = params.and_then(|params| params.raw_payload.as_ref());
        let others = [self.payload_text.is_some(), self.payload_base64.is_some()];
        let given = usize::from(raw.is_some() || self.payload.is_some());
        if given + others.iter().filter(|is| **is).count() != 1 {
            let what = "exactly one of payload, payloadText and payloadBase64 is required";
            faults.add("payload", what);
            return Ok(None);
        }
        let (bytes, kind) = if let Some(Text(text)) = &self.payload_text {
            (text.as_bytes(), PLAIN)
        } else if let Some(Text(text)) = &self.payload_base64 {
            let Ok(bytes) = STANDARD.decode(text.as_bytes()) else {
                faults.add("payloadBase64", "expected base64 with padding");
                return Ok(None);
            };
            within(bytes.len(), most)?;
            return Ok(Some((bytes.into(), BINARY)));
        } else {
            let text = raw.map(|text| &*text.0).or(self.payload.map(RawValue::get));
            (text.unwrap_or_default().as_bytes(), JSON)
        };
        within(bytes.len(), most)?;
        // A slice of the body would keep all of it in memory.
        Ok(Some((Bytes::copy_from_slice(bytes), kind)))
    }

    /// The content type that the sender gave.
    pub(super) fn given_type(&self, faults: &mut Faults) -> Option<&str> {
        let params = self.transformations_params.as_ref();
        let params = params.filter(|params| params.raw_payload.is_some());
        let headers = params.and_then(|params| params.headers.as_ref());
        let header = headers
            .into_iter()
            .flatten()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let given = self
            .content_type
            .as_ref()
            .or(header.map(|(_, value)| value))?;
        let text = &*given.0;
        let sound = text.len() <= LONGEST_TYPE
            && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
            && text.split_once('/').is_some_and(|(kind, rest)| {
                !kind.is_empty() && !kind.contains(' ') && !rest.trim().is_empty()
            });
        if !sound {
            faults.add("contentType", "expected a media type, such as text/plain");
        }
        Some(text)
    }
}

/// 413 for whoever sends a message.
pub(in crate::hot) fn too_large(most: usize) -> Problem {
    let detail = format!("`payload` may have at most {most} bytes: the setting `api.max_payload`");
    Problem::too_large(most).saying(detail)
}

fn within(bytes: usize, most: usize) -> Result<(), Problem> {
    if bytes > most {
        Err(too_large(most))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::draft;
    use super::*;

    #[test]
    fn a_payload_keeps_its_bytes_whatever_json_it_is() {
        for payload in [
            r#"{"b" : 1.0,  "a":1E3}"#,
            "null",
            "[ ]",
            "\"\\u00e9\"",
            "-0.0",
        ] {
            let made = draft(&format!(r#"{{"payload": {payload} ,"eventType":"a.b"}}"#)).unwrap();
            assert_eq!(made.payload, payload);
            assert_eq!(&*made.content_type, "application/json");
        }
    }

    #[test]
    fn other_content_types_have_fields_of_their_own() {
        let made = draft(r#"{"eventType":"a","payloadText":"a\nb"}"#).unwrap();
        assert_eq!(
            (&made.payload[..], &*made.content_type),
            (&b"a\nb"[..], PLAIN)
        );
        let made = draft(r#"{"eventType":"a","payloadBase64":"/w==","contentType":"image/png"}"#);
        let made = made.unwrap();
        assert_eq!(
            (&made.payload[..], &*made.content_type),
            (&[0xff][..], "image/png")
        );
        let made = draft(r#"{"eventType":"a","payload":{},"contentType":"application/ld+json"}"#);
        assert_eq!(&*made.unwrap().content_type, "application/ld+json");
    }

    #[test]
    fn the_sdks_raw_payload_is_sent_as_it_is() {
        let json = r#"{"eventType":"a","payload":{},"transformationsParams":
            {"rawPayload":"<a/>","headers":{"content-type":"text/xml"}}}"#;
        let made = draft(json).unwrap();
        assert_eq!(
            (&made.payload[..], &*made.content_type),
            (&b"<a/>"[..], "text/xml")
        );
        let json = r#"{"eventType":"a","payload":{},"transformationsParams":{"rawPayload":"{ }"}}"#;
        let made = draft(json).unwrap();
        assert_eq!(
            (&made.payload[..], &*made.content_type),
            (&b"{ }"[..], "application/json")
        );
    }
}
