//! `ringbolt nodes`: the nodes that share the store, as the running server knows them.

use http::Method;
use ringbolt_model::Timestamp;
use serde::Deserialize;

use crate::cli::Settings;
use crate::config::{Config, Layers};
use crate::local_api::LocalApi;
use crate::output::say;
use crate::running::server_runs_on;
use crate::{environment, first_start};

/// Where the API lists them.
const NODES: &str = "/api/v1/nodes";

/// Prints them, in the order in which they started.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    let layers = Layers::merge(settings.sources(environment::settings()))?;
    let config = Config::read(&layers)?;
    anyhow::ensure!(
        config.store_file().is_none_or(server_runs_on),
        "no server runs on {}: there is no node",
        config.store_shown()
    );
    let api = LocalApi::new(&config, first_start::existing_token(&config)?)?;
    let answer = super::serve::runtime(1)?.block_on(api.call(Method::GET, NODES, None))?;
    let ListOut { data } = serde_json::from_value(answer)?;
    tell(&data);
    Ok(())
}

fn tell(nodes: &[NodeOut]) {
    let name = width("name", nodes, |node| &node.name);
    let address = width("address", nodes, |node| &node.address);
    let version = width("version", nodes, |node| &node.version);
    say!(
        "{:<18}{:<6}{:<name$}{:<address$}{:<version$}{:<29}{:<29}{:<10}{:<8}{:<11}pending",
        "node",
        "slot",
        "name",
        "address",
        "version",
        "started",
        "last seen",
        "lease",
        "lanes",
        "in flight",
    );
    for node in nodes {
        say!(
            "{:<18}{:<6}{:<name$}{:<address$}{:<version$}{:<29}{:<29}{:<10}{:<8}{:<11}{}",
            node.shown(),
            node.slot,
            node.name,
            node.address,
            node.version,
            node.started_at.to_string(),
            node.last_seen.to_string(),
            node.lease(),
            node.lanes,
            node.in_flight,
            node.pending,
        );
    }
}

/// As wide as the widest, and two more.
fn width(title: &str, nodes: &[NodeOut], of: impl Fn(&NodeOut) -> &str) -> usize {
    let widest = nodes.iter().map(|node| of(node).chars().count()).max();
    widest.unwrap_or(0).max(title.len()) + 2
}

#[derive(Deserialize)]
struct ListOut {
    data: Vec<NodeOut>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeOut {
    incarnation: u64,
    slot: u16,
    name: String,
    address: String,
    version: String,
    started_at: Timestamp,
    last_seen: Timestamp,
    lease_left_ms: Option<u64>,
    is_this: bool,
    lanes: u64,
    in_flight: u64,
    pending: u64,
}

impl NodeOut {
    /// Its number, with a star at the one that was asked.
    fn shown(&self) -> String {
        let star = if self.is_this { "*" } else { "" };
        format!("{}{star}", self.incarnation)
    }

    fn lease(&self) -> String {
        match self.lease_left_ms {
            None => "for_ever".into(),
            Some(0) => "lapsed".into(),
            Some(left) => format!("{left}ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn out(lease_left_ms: Option<u64>, is_this: bool) -> NodeOut {
        let all = json!({
            "incarnation": 7, "slot": 1, "name": "a", "address": "http://a", "version": "1", "isThis": is_this,
            "startedAt": "2026-11-20T08:00:00Z", "lastSeen": "2026-11-20T08:00:00Z", "leaseLeftMs": lease_left_ms,
            "lanes": 0, "inFlight": 0, "pending": 0,
        });
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_lease_holds_for_a_while_or_for_ever_or_has_lapsed() {
        let lease = |left| out(left, false).lease();
        assert_eq!(lease(Some(4200)), "4200ms");
        assert_eq!(lease(Some(0)), "lapsed");
        assert_eq!(lease(None), "for_ever");
    }

    #[test]
    fn the_one_that_was_asked_has_a_star() {
        assert_eq!(out(None, true).shown(), "7*");
        assert_eq!(out(None, false).shown(), "7");
    }
}
