//! Attempts as clients read them.

use std::collections::BTreeMap;
use std::time::Duration;

use ringbolt_model::{
    Attempt, AttemptFailure, AttemptId, EndpointId, MessageId, Timestamp, Timings, Trigger,
};
use serde::Serialize;

use crate::message::MessageOut;
use crate::status::{FAIL, SUCCESS};

/// One try at a delivery.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageAttemptOut {
    /// Its id.
    #[schema(value_type = String)]
    id: AttemptId,
    /// What was delivered.
    #[schema(value_type = String)]
    msg_id: MessageId,
    /// To whom.
    #[schema(value_type = String)]
    endpoint_id: EndpointId,
    /// Where it was sent.
    url: String,
    /// The beginning of the answer's body; without an answer, the word for what went wrong.
    response: String,
    /// The status of the answer; 0 if there was none.
    response_status_code: u16,
    /// How long it took, in milliseconds.
    response_duration_ms: u64,
    /// 0 success, 2 fail.
    status: u8,
    /// The same in words.
    status_text: &'static str,
    /// 0 because it was due, 1 because somebody asked for it.
    trigger_type: u8,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// The message, without its payload; if it was asked for and is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<MessageOut>,
    /// The word for what went wrong: `status`, `dns`, `refused`, `tls`, `timeout`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'static str>,
    /// The headers of the answer; for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_headers: Option<BTreeMap<String, String>>,
    /// More about what went wrong; for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The address connected to; for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// How long each part took; for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    timings: Option<TimingsOut>,
}

/// How long each part of a try took, in milliseconds to three places; a part that did not happen is absent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimingsOut {
    /// Looking up the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<f64>,
    /// Connecting.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<f64>,
    /// The TLS handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<f64>,
    /// From the start of the request to the first byte of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte: Option<f64>,
    /// All of it.
    total: f64,
}

impl From<&Timings> for TimingsOut {
    fn from(timings: &Timings) -> Self {
        // A quotient of whole numbers is the nearest to what it stands for, and written as short.
        let millis = |span: Duration| {
            f64::from(u32::try_from(span.as_micros()).unwrap_or(u32::MAX)) / 1000.0
        };
        Self {
            dns: timings.dns.map(millis),
            connect: timings.connect.map(millis),
            tls: timings.tls.map(millis),
            first_byte: timings.first_byte.map(millis),
            total: millis(timings.total),
        }
    }
}

/// Who looks at an attempt, and what of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Whether they operate the server: others see no address, and one word for whatever would tell
    /// them about the network behind the server.
    pub(crate) operator: bool,
    /// Whether the answer is shown.
    pub(crate) with_content: bool,
}

impl MessageAttemptOut {
    pub(crate) fn new(attempt: &Attempt, view: View) -> Self {
        let word = attempt.failure.map(|failure| {
            if view.operator {
                failure.as_str()
            } else {
                failure.public_word()
            }
        });
        let status = if attempt.succeeded() { SUCCESS } else { FAIL };
        let total = attempt.timings.total.as_millis();
        Self {
            id: attempt.id,
            msg_id: attempt.delivery.message,
            endpoint_id: attempt.delivery.endpoint,
            url: attempt.url.to_string(),
            response: response(attempt, word),
            response_status_code: attempt.status,
            response_duration_ms: u64::try_from(total).unwrap_or(u64::MAX),
            status: status.number,
            status_text: status.text,
            trigger_type: u8::from(attempt.trigger == Trigger::Manual),
            timestamp: attempt.at,
            msg: None,
            failure: word,
            response_headers: (view.operator && view.with_content)
                .then(|| headers(&attempt.headers)),
            detail: attempt
                .detail
                .as_deref()
                .filter(|_| view.operator)
                .map(str::to_owned),
            address: attempt
                .address
                .filter(|_| view.operator)
                .map(|address| address.to_string()),
            timings: view.operator.then(|| (&attempt.timings).into()),
        }
    }
}

impl MessageAttemptOut {
    /// Which message it was.
    pub(crate) const fn message(&self) -> MessageId {
        self.msg_id
    }

    /// The same with its message.
    pub(crate) fn with(self, msg: Option<MessageOut>) -> Self {
        Self { msg, ..self }
    }
}

fn response(attempt: &Attempt, word: Option<&'static str>) -> String {
    if !attempt.body.is_empty() {
        return String::from_utf8_lossy(&attempt.body).into_owned();
    }
    let answered = matches!(attempt.failure, None | Some(AttemptFailure::Status));
    word.filter(|_| !answered).unwrap_or_default().to_owned()
}

/// The lines `name: value` as a map; of several lines of a name the values are joined.
fn headers(lines: &[u8]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    for line in String::from_utf8_lossy(lines).lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        all.entry(name.trim().to_owned())
            .and_modify(|values| *values = format!("{values}, {}", value.trim()))
            .or_insert_with(|| value.trim().to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ringbolt_model::{AppId, DeliveryKey};

    use super::*;

    fn attempt(failure: Option<AttemptFailure>, status: u16, body: &'static str) -> Attempt {
        Attempt {
            id: AttemptId::from(1),
            app: AppId::from(1),
            delivery: DeliveryKey {
                message: MessageId::from(1),
                endpoint: EndpointId::from(1),
            },
            trigger: Trigger::Manual,
            at: Timestamp::from_seconds(1_800_000_000),
            url: "https://example.com/".into(),
            address: Some("10.0.0.7:443".parse().unwrap()),
            status,
            failure,
            detail: Some("connect 10.0.0.7:443".into()),
            headers: Bytes::from_static(b"a: 1\nb: 2\na: 3\n"),
            body: Bytes::from_static(body.as_bytes()),
            timings: Timings {
                total: Duration::from_micros(12_345),
                ..Timings::default()
            },
        }
    }

    fn shown(attempt: &Attempt, operator: bool) -> serde_json::Value {
        let view = View {
            operator,
            with_content: true,
        };
        serde_json::to_value(MessageAttemptOut::new(attempt, view)).unwrap()
    }

    #[test]
    fn an_answer_is_shown_with_its_status_and_headers() {
        let out = shown(&attempt(None, 201, "thanks"), true);
        assert_eq!(
            (&out["response"], &out["responseStatusCode"]),
            (&"thanks".into(), &201.into())
        );
        assert_eq!(
            (&out["status"], &out["statusText"]),
            (&0.into(), &"success".into())
        );
        assert_eq!(
            (&out["triggerType"], &out["responseDurationMs"]),
            (&1.into(), &12.into())
        );
        assert_eq!(
            out["responseHeaders"],
            serde_json::json!({"a": "1, 3", "b": "2"})
        );
        assert_eq!(out["address"], "10.0.0.7:443");
    }

    #[test]
    fn customers_see_neither_addresses_nor_what_tells_of_the_network() {
        for failure in [
            AttemptFailure::Blocked,
            AttemptFailure::Dns,
            AttemptFailure::Connect,
            AttemptFailure::Refused,
        ] {
            let out = shown(&attempt(Some(failure), 0, ""), false);
            assert_eq!(
                (&out["response"], &out["failure"]),
                (&"refused".into(), &"refused".into())
            );
            assert!(!out.to_string().contains("10.0.0.7"), "{out}");
            assert!(out.get("timings").is_none());
            assert!(out.get("responseHeaders").is_none(), "{out}");
        }
        let out = shown(&attempt(Some(AttemptFailure::Blocked), 0, ""), true);
        assert_eq!(
            (&out["response"], &out["failure"]),
            (&"blocked".into(), &"blocked".into())
        );
    }

    #[test]
    fn parts_are_shown_in_whole_microseconds() {
        let timings = Timings {
            dns: Some(Duration::from_nanos(1_100_999)),
            connect: Some(Duration::from_micros(33)),
            total: Duration::from_micros(4_030_001),
            ..Timings::default()
        };
        let shown = serde_json::to_string(&TimingsOut::from(&timings)).unwrap();
        assert_eq!(shown, r#"{"dns":1.1,"connect":0.033,"total":4030.001}"#);
    }

    #[test]
    fn an_empty_answer_is_no_word() {
        let out = shown(&attempt(Some(AttemptFailure::Status), 500, ""), true);
        assert_eq!(
            (&out["response"], &out["statusText"]),
            (&"".into(), &"fail".into())
        );
    }
}
