//! An attempt the way an endpoint would get it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringbolt_delivery::HttpSettings;
use ringbolt_model::{Clock, IdMaker, MessageId, Timestamp};
use ringbolt_net::{Client, Exchange, Failure, HeaderBlock, Method, Report, Target, Timings};
use ringbolt_signatures::headers::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use ringbolt_signatures::{Secret, Signer};

use super::{Finding, time};

/// What is sent.
const BODY: &[u8] = br#"{"type":"ringbolt.doctor"}"#;

/// Makes it, and tells what came of it.
pub(super) async fn attempt(
    client: &Client,
    settings: &HttpSettings,
    clock: &impl Clock,
    url: &str,
) -> Vec<Finding> {
    let target = match Target::parse(url, &settings.policy) {
        Ok(target) => Arc::new(target),
        Err(why) => return vec![Finding::Bad(format!("{url} cannot be an endpoint: {why}"))],
    };
    let headers = match headers(clock.now()) {
        Ok(headers) => headers,
        Err(why) => return vec![Finding::Bad(format!("no request can be made: {why:#}"))],
    };
    let exchange = Exchange {
        target: &target,
        method: Method::POST,
        headers: &headers,
        body: Bytes::from_static(BODY),
        timeout: settings.timeout,
        tls: None,
    };
    let report = client.send(exchange).await;
    let mut findings = findings(url, &report);
    let headers = report.result.as_ref().ok().map(|reply| &reply.headers);
    findings.extend(headers.and_then(|headers| time::beside_theirs(clock.now(), headers)));
    findings
}

/// The headers of a webhook, signed with a secret that nobody else has.
fn headers(now: Timestamp) -> anyhow::Result<HeaderBlock> {
    let mut random = [0; 24];
    getrandom::fill(&mut random)?;
    let signer = Signer::new(&[Secret::symmetric_from(random)]);
    let id = IdMaker::new(0, 0).next::<MessageId>(now).to_string();
    let mut block = HeaderBlock::new();
    block.push("content-type", "application/json")?;
    block.push(WEBHOOK_ID, &id)?;
    block.push(WEBHOOK_TIMESTAMP, &now.as_seconds().to_string())?;
    block.push(WEBHOOK_SIGNATURE, &signer.sign(&id, now.as_seconds(), BODY))?;
    Ok(block)
}

fn findings(url: &str, report: &Report) -> Vec<Finding> {
    let at = report
        .address
        .map(|address| format!(" at {address}"))
        .unwrap_or_default();
    let result = match &report.result {
        Err(why) => Finding::Bad(format!("{url}{at}: {why} ({})", way_out(why, url))),
        Ok(reply) if (200..300).contains(&reply.status) => {
            Finding::Good(format!("{url}{at} answered {}", reply.status))
        }
        Ok(reply) if [400, 401, 403].contains(&reply.status) => Finding::Doubtful(format!(
            "{url}{at} answered {}: it can be reached. One that verifies signatures answers so to this attempt, which is \
             signed with a secret that it does not know",
            reply.status,
        )),
        Ok(reply) => Finding::Doubtful(format!(
            "{url}{at} answered {}: it can be reached, but an endpoint has to answer with 2xx",
            reply.status,
        )),
    };
    let mut findings = vec![result];
    // How long it took until nothing came of it is no good news.
    if report.result.is_ok() {
        findings.push(Finding::Good(parts(&report.timings)));
    }
    findings
}

/// What to do about a failure.
fn way_out(why: &Failure, url: &str) -> &'static str {
    match why {
        Failure::Blocked(_) => "private networks have to be allowed: delivery.allow_networks",
        Failure::PortBlocked(_) => "that port has to be allowed: delivery.allow_ports",
        Failure::Dns(_) => "see net.resolver",
        // A server that expects no handshake answers in plain text, or waits for more.
        Failure::Tls(said) if said.contains("InvalidContentType") || &**said == "timeout" => {
            "what listens there speaks no TLS, it seems: try http:// instead"
        }
        Failure::Tls(said) if said.contains("CaUsedAsEndEntity") => {
            "its certificate calls itself an authority (`openssl req -x509` makes such) and cannot be a server's: make it \
             anew with -addext basicConstraints=critical,CA:FALSE, and name that in net.extra_roots"
        }
        Failure::Tls(_) => {
            "it needs a certificate for that name by an authority that is trusted. net.extra_roots takes the certificate of an \
             authority of your own, or a receiver's own self-signed one if that is made with \
             -addext basicConstraints=critical,CA:FALSE"
        }
        Failure::ConnectRefused => "nothing listens there",
        Failure::Timeout => {
            "it was connected to, and did not answer in time: the receiver is slow (delivery.timeout)"
        }
        Failure::Reset | Failure::ClosedEarly | Failure::ProtocolError(_) if is_plain(url) => {
            "it was connected to, and did not answer as a web server does; if it speaks TLS, try https:// instead"
        }
        Failure::Reset | Failure::ClosedEarly | Failure::ProtocolError(_) => {
            "it was connected to, and did not answer as a web server does: see the receiver's own log"
        }
        Failure::HeadersTooLarge => "the receiver has to answer with less",
        Failure::Proxy(_) => "see delivery.egress_proxy",
        Failure::ConnectTimeout | Failure::ConnectOther(_) => {
            "see whether a firewall is in between"
        }
    }
}

fn is_plain(url: &str) -> bool {
    url.starts_with("http://")
}

fn parts(timings: &Timings) -> String {
    let millis =
        |span: Duration| format!("{}.{} ms", span.as_millis(), span.as_micros() % 1000 / 100);
    let named = [
        ("DNS", timings.dns),
        ("connect", timings.connect),
        ("TLS", timings.tls),
        ("first byte", timings.first_byte),
        ("total", Some(timings.total)),
    ];
    let shown = named
        .iter()
        .filter_map(|(name, span)| span.map(|span| format!("{name} {}", millis(span))));
    shown.collect::<Vec<_>>().join(", ")
}
