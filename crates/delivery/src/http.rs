//! The way out by HTTP: a signed POST to an endpoint.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ringbolt_engine::{Failure as Failed, Hold, Outcome, Verdict};
use ringbolt_model::{
    AttemptFailure, Clock, EndpointId, Message, SignatureHeaders, Timestamp, Timings,
};
use ringbolt_net::{
    Client, DnsFailure, Exchange, Failure, HeaderBlock, Method, Reply, Report, retry_after,
};
use ringbolt_signatures::headers;
use ringbolt_store::StoreError;

use crate::destinations::{Destinations, Prepared};
use crate::transport::{Transport, Tried};

/// The status that says an endpoint is gone for good.
const GONE: u16 = 410;
/// The statuses whose `Retry-After` holds the whole lane: too many requests, unavailable.
const HOLDING: [u16; 2] = [429, 503];
/// The longest hold that a receiver can ask for.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);
/// Room for the headers of a usual request.
const HEADER_ROOM: usize = 384;

/// Sends signed POSTs.
pub struct HttpTransport {
    client: Client,
    destinations: Destinations,
    clock: Arc<dyn Clock>,
    timeout: Duration,
}

impl HttpTransport {
    pub(crate) fn new(
        client: Client,
        destinations: Destinations,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Self {
        Self {
            client,
            destinations,
            clock,
            timeout,
        }
    }

    async fn send(&self, message: &Message, to: &Prepared, payload: Bytes, at: Timestamp) -> Tried {
        let target = match &to.target {
            Ok(target) => target,
            Err(why) => {
                return Tried::unsent(at, to.url.clone(), AttemptFailure::Blocked, why.clone());
            }
        };
        let headers = match request_headers(message, to, &payload, at.as_seconds()) {
            Ok(headers) => headers,
            Err(error) => {
                let why = error.to_string();
                return Tried::unsent(at, to.url.clone(), AttemptFailure::Internal, why);
            }
        };
        let exchange = Exchange {
            target,
            method: Method::POST,
            headers: &headers,
            body: payload,
            timeout: self.timeout,
            tls: None,
        };
        let report = self.client.send(exchange).await;
        tried(report, to.url.clone(), at)
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn attempt(&self, message: &Message, endpoint: EndpointId) -> Tried {
        let at = self.clock.now();
        let Some(payload) = message.payload.clone() else {
            let why = "the content of this message is gone".to_owned();
            let mut tried = Tried::unsent(at, "".into(), AttemptFailure::Expired, why);
            tried.verdict = failed(
                Failed {
                    expired: true,
                    ..Failed::default()
                },
                Duration::ZERO,
            );
            return tried;
        };
        match self.destinations.get(endpoint, at).await {
            Ok(to) => self.send(message, &to, payload, at).await,
            Err(StoreError::NotFound) => {
                let why = "the endpoint is gone".to_owned();
                let unsent = Tried::unsent(at, "".into(), AttemptFailure::Internal, why);
                Tried {
                    missing: true,
                    ..unsent
                }
            }
            Err(error) => Tried::unsent(at, "".into(), AttemptFailure::Internal, error.to_string()),
        }
    }

    fn forget(&self, endpoint: EndpointId) {
        self.destinations.forget(endpoint);
    }

    fn forget_all(&self) {
        self.destinations.forget_all();
    }

    fn sweep(&self) {
        self.client.sweep(tokio::time::Instant::now());
    }
}

fn request_headers(
    message: &Message,
    to: &Prepared,
    payload: &[u8],
    seconds: i64,
) -> Result<HeaderBlock, ringbolt_net::HeaderError> {
    let id = message.id.to_string();
    let mut text = String::with_capacity(128);
    let _infallible = write!(text, "{seconds}");
    let (timestamp, signature) = {
        let end = text.len();
        to.signer.sign_into(&mut text, &id, seconds, payload);
        text.split_at(end)
    };
    let mut block = HeaderBlock::with_capacity(HEADER_ROOM);
    block.push("content-type", &message.content_type)?;
    if to.families != SignatureHeaders::Svix {
        block.push(headers::WEBHOOK_ID, &id)?;
        block.push(headers::WEBHOOK_TIMESTAMP, timestamp)?;
        block.push(headers::WEBHOOK_SIGNATURE, signature)?;
    }
    if to.families != SignatureHeaders::Standard {
        block.push(headers::SVIX_ID, &id)?;
        block.push(headers::SVIX_TIMESTAMP, timestamp)?;
        block.push(headers::SVIX_SIGNATURE, signature)?;
    }
    block.append(&to.headers);
    Ok(block)
}

fn tried(report: Report, url: Arc<str>, at: Timestamp) -> Tried {
    let timings = Timings {
        dns: report.timings.dns,
        connect: report.timings.connect,
        tls: report.timings.tls,
        first_byte: report.timings.first_byte,
        total: report.timings.total,
    };
    let took = timings.total;
    let (address, repeated) = (report.address, report.repeated);
    match report.result {
        Ok(reply) => {
            let verdict = verdict_of(&reply, at.as_seconds(), took);
            let success = (200..300).contains(&reply.status);
            Tried {
                at,
                url,
                address,
                status: reply.status,
                failure: (!success).then_some(AttemptFailure::Status),
                detail: None,
                headers: lines(&reply),
                body: reply.body,
                timings,
                verdict,
                repeated,
                missing: false,
            }
        }
        Err(failure) => Tried {
            at,
            url,
            address,
            status: 0,
            failure: Some(word(&failure)),
            detail: Some(failure.to_string().into()),
            headers: Bytes::new(),
            body: Bytes::new(),
            timings,
            verdict: Verdict::failure(took),
            repeated,
            missing: false,
        },
    }
}

/// What the engine is to make of an answer: 2xx is success, 410 ends the endpoint, `Retry-After` on
/// 429 and 503 holds the lane and on others this delivery, anything else is retried.
fn verdict_of(reply: &Reply, now_unix: i64, took: Duration) -> Verdict {
    match reply.status {
        200..300 => Verdict::success(took),
        GONE => failed(
            Failed {
                gone: true,
                ..Failed::default()
            },
            took,
        ),
        status => {
            let asked = reply
                .headers
                .single("retry-after")
                .and_then(|v| std::str::from_utf8(v).ok());
            let wait = asked.and_then(|value| retry_after(value, now_unix));
            let lane = HOLDING.contains(&status);
            let hold = wait.map(|wait| Hold {
                wait: wait.min(LONGEST_HOLD),
                lane,
            });
            failed(
                Failed {
                    hold,
                    ..Failed::default()
                },
                took,
            )
        }
    }
}

const fn failed(failure: Failed, took: Duration) -> Verdict {
    Verdict {
        outcome: Outcome::Failure(failure),
        took,
    }
}

fn lines(reply: &Reply) -> Bytes {
    let mut lines = Vec::with_capacity(reply.headers.len() * 40);
    for (name, value) in reply.headers.iter() {
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value);
        lines.push(b'\n');
    }
    lines.into()
}

const fn word(failure: &Failure) -> AttemptFailure {
    match failure {
        Failure::Blocked(_) | Failure::PortBlocked(_) => AttemptFailure::Blocked,
        Failure::Dns(DnsFailure::NotFound | DnsFailure::Timeout | DnsFailure::Other) => {
            AttemptFailure::Dns
        }
        Failure::ConnectRefused => AttemptFailure::Refused,
        Failure::ConnectTimeout | Failure::ConnectOther(_) => AttemptFailure::Connect,
        Failure::Tls(_) => AttemptFailure::Tls,
        Failure::Timeout => AttemptFailure::Timeout,
        Failure::Reset | Failure::ClosedEarly => AttemptFailure::Closed,
        Failure::ProtocolError(_) | Failure::HeadersTooLarge => AttemptFailure::Protocol,
        Failure::Proxy(_) => AttemptFailure::Proxy,
    }
}
