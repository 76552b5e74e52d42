//! Ways to make a client and to send something with it.

use std::sync::Arc;
use std::time::Duration;

use ringbolt_net::{
    Client, ClientSettings, Exchange, Failure, Guard, HeaderBlock, Method, Reply, Report, Target,
    TargetPolicy,
};

/// Settings with which the loopback interface may be reached.
pub(crate) fn settings() -> ClientSettings {
    ClientSettings {
        guard: loopback_guard(),
        ..ClientSettings::default()
    }
}

pub(crate) fn loopback_guard() -> Guard {
    Guard::new(vec!["127.0.0.0/8".parse().unwrap()])
}

pub(crate) fn client() -> Client {
    Client::new(settings()).unwrap()
}

pub(crate) fn target(url: &str) -> Arc<Target> {
    let policy = TargetPolicy {
        judge_names: false,
        ..TargetPolicy::default()
    };
    Arc::new(Target::parse(url, &policy).unwrap())
}

/// A POST of `{}`, with time enough on a busy machine.
pub(crate) async fn post(client: &Client, url: &str) -> Report {
    post_body(client, url, b"{}".to_vec()).await
}

pub(crate) async fn post_body(client: &Client, url: &str, body: Vec<u8>) -> Report {
    let mut headers = HeaderBlock::new();
    headers.push("content-type", "application/json").unwrap();
    let target = target(url);
    let exchange = Exchange {
        target: &target,
        method: Method::POST,
        headers: &headers,
        body: body.into(),
        timeout: Duration::from_secs(30),
        tls: None,
    };
    client.send(exchange).await
}

/// A POST that may take only this long.
pub(crate) async fn post_within(client: &Client, url: &str, timeout: Duration) -> Report {
    let target = target(url);
    let headers = HeaderBlock::new();
    let exchange = Exchange {
        target: &target,
        method: Method::POST,
        headers: &headers,
        body: "{}".into(),
        timeout,
        tls: None,
    };
    client.send(exchange).await
}

pub(crate) async fn reply(client: &Client, url: &str) -> Reply {
    post(client, url).await.result.unwrap()
}

pub(crate) async fn failure(client: &Client, url: &str) -> Failure {
    post(client, url).await.result.unwrap_err()
}
