//! Checks whether names can be looked up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringbolt_delivery::HttpSettings;
use ringbolt_net::{Client, Exchange, HeaderBlock, Method, Target};

use super::Finding;
use crate::config::Config;

/// A name that nobody may have (RFC 6761): that there is none is the answer of name servers that work.
const NOBODY: &str = "https://ringbolt-doctor.test/";

/// How long their answer may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// Asks the name servers in use for a name that does not exist.
pub(super) async fn names(config: &Config, client: &Client, settings: &HttpSettings) -> Finding {
    if let Some(why) = client.resolver_problem() {
        return Finding::Bad(format!(
            "the system's name servers cannot be used: {why}; set net.resolver"
        ));
    }
    let servers = match config.net.resolver.0.as_slice() {
        [] => "the system's name servers".to_owned(),
        servers => format!("the configured name servers {servers:?}"),
    };
    if config.delivery.egress_proxy.is_some() {
        return Finding::Good("the egress proxy looks names up".into());
    }
    match failure(client, settings).await {
        Some("dns_timeout") => Finding::Bad(format!(
            "{servers} do not answer: set net.resolver to some that do"
        )),
        Some("dns_failed") => Finding::Bad(format!(
            "{servers} answer with an error: set net.resolver to others, or see why"
        )),
        _ => Finding::Good(format!("{servers} answer")),
    }
}

/// The word of what came of it.
async fn failure(client: &Client, settings: &HttpSettings) -> Option<&'static str> {
    let target = Arc::new(Target::parse(NOBODY, &settings.policy).ok()?);
    let exchange = Exchange {
        target: &target,
        method: Method::HEAD,
        headers: &HeaderBlock::new(),
        body: Bytes::new(),
        timeout: PATIENCE,
        tls: None,
    };
    let report = client.send(exchange).await;
    report.result.err().map(|why| why.as_str())
}
