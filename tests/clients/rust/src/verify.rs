//! Reads one JSON line per delivery (`{secret, headers, body in base64}`) and prints `"ok"`, or why not.

use std::collections::BTreeMap;
use std::io::stdin;

use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use standardwebhooks::Webhook;

#[derive(Deserialize)]
struct Delivery {
    secret: String,
    headers: BTreeMap<String, String>,
    body: String,
}

pub fn run() -> anyhow::Result<()> {
    for line in stdin().lines() {
        let said = match verify(&serde_json::from_str(&line?)?) {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        println!("{}", serde_json::to_string(&[said])?);
    }
    Ok(())
}

fn verify(delivery: &Delivery) -> anyhow::Result<()> {
    let mut headers = HeaderMap::new();
    for (name, value) in &delivery.headers {
        headers.insert(name.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
    }
    let body = base64::engine::general_purpose::STANDARD.decode(&delivery.body)?;
    Ok(Webhook::new(&delivery.secret)?.verify(&body, &headers)?)
}
