//! `ringbolt demo`: the whole story in one process, on a temporary store.

mod receiver;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::clock::SystemClock;
use crate::config::{Config, Flag, Layers, Sources};
use crate::first_start;
use crate::house::House;
use crate::local_api::LocalApi;
use crate::logs;
use crate::output::say;
use crate::server::{Door, Limits};
use receiver::{Arrival, Receiver};

/// What happens in the story.
const EVENTS: [&str; 3] = ["order.created", "order.paid", "order.shipped"];
/// The longest that each step may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is left of an orderly end.
const GRACE: Duration = Duration::from_secs(5);

/// Tells the story.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("ringbolt-demo-").tempdir();
    let folder = folder.context("cannot make a temporary folder")?;
    let config = config(folder.path())?;
    logs::start(config.log.format, logs::filter(Some("error"))?);
    super::serve::runtime(config.workers())?.block_on(story(&config))
}

/// Of its own: the environment and files of the place do not matter.
fn config(folder: &Path) -> anyhow::Result<Config> {
    let settings = [
        ("listen", "127.0.0.1:0".to_owned()),
        (
            "store",
            format!("sqlite:{}", folder.join("ringbolt.db").display()),
        ),
        ("delivery.allow_networks", "127.0.0.0/8".to_owned()),
        ("delivery.retry_schedule", "1s,1s,1s".to_owned()),
    ];
    let flag = |(key, value): (&str, String)| Flag {
        key: key.into(),
        value,
        name: key.into(),
    };
    let sources = Sources {
        flags: settings.map(flag).into(),
        ..Sources::default()
    };
    Ok(Config::read(&Layers::merge(sources)?)?)
}

async fn story(config: &Config) -> anyhow::Result<()> {
    say!(
        "Ringbolt {}: three events and a receiver that fails once.\n",
        env!("CARGO_PKG_VERSION")
    );

    let clock = Arc::new(SystemClock::start());
    let secrets = first_start::prepare(config)?;
    let door = Door::open(config.general.listen)?;
    let address = door.address();
    let house = House::open(config, &secrets, clock.clone(), config.own_url(address)).await?;
    let serving = door.serve(house.front(config), Limits::of(config), None);
    say!("server     http://{address}, with a temporary store");

    let (tell, arrivals) = unbounded_channel();
    let receiver = Arc::new(Receiver::new(tell, clock));
    let theirs = Door::open(([127, 0, 0, 1], 0).into())?;
    let url = format!("http://{}/webhooks", theirs.address());
    say!("receiver   {url}, which will fail once\n");
    let receiving = theirs.serve(Arc::clone(&receiver), Limits::of(config), None);

    let api = LocalApi::new(config, house.admin_token().token.clone())?.at(address);
    receiver.trust(&subscribe(&api, &url).await?)?;
    let events = send(&api).await?;
    watch(arrivals, &events).await?;
    summarise(&api, &events).await?;

    serving.close(GRACE).await;
    house.close(GRACE).await;
    receiving.close(GRACE).await;
    say!("\nThat is all. `ringbolt serve` starts a server that stays.");
    Ok(())
}

/// Makes an application with an endpoint; gives the secret that the receiver verifies with.
async fn subscribe(api: &LocalApi, url: &str) -> anyhow::Result<String> {
    let app = json!({"name": "Demo", "uid": "demo"});
    api.call(Method::POST, "/api/v1/app", Some(&app)).await?;
    let endpoint = json!({"url": url, "uid": "receiver"});
    api.call(Method::POST, "/api/v1/app/demo/endpoint", Some(&endpoint))
        .await?;
    let secret = api
        .call(
            Method::GET,
            "/api/v1/app/demo/endpoint/receiver/secret",
            None,
        )
        .await?;
    text(&secret, "key")
}

/// Sends the events; gives their messages' ids with the type of each.
async fn send(api: &LocalApi) -> anyhow::Result<HashMap<String, &'static str>> {
    let mut events = HashMap::new();
    for (number, event_type) in EVENTS.into_iter().enumerate() {
        let message = json!({"eventType": event_type, "payload": {"order": 4711, "step": number}});
        let answer = api
            .call(Method::POST, "/api/v1/app/demo/msg", Some(&message))
            .await?;
        let id = text(&answer, "id")?;
        say!("accepted   {id}  {event_type}");
        events.insert(id, event_type);
    }
    Ok(events)
}

/// Tells what arrives, until each event has arrived well.
async fn watch(
    mut arrivals: UnboundedReceiver<Arrival>,
    events: &HashMap<String, &'static str>,
) -> anyhow::Result<()> {
    say!("");
    let mut tries: HashMap<String, u32> = HashMap::new();
    let mut delivered = 0;
    while delivered < events.len() {
        let arrival = timeout(PATIENCE, arrivals.recv())
            .await
            .context("nothing arrives")?;
        let arrival = arrival.context("the receiver has ended")?;
        if let Err(why) = arrival.verified {
            bail!("the signature of {} cannot be verified: {why}", arrival.id);
        }
        let tried = tries.entry(arrival.id.clone()).or_default();
        *tried += 1;
        let kind = if *tried == 1 { "attempt" } else { "retry" };
        let outcome = if arrival.status.is_success() {
            delivered += 1;
            "accepted by the receiver"
        } else {
            "tried again in about a second"
        };
        say!(
            "{kind:<10} {}  signature verified, answered {}: {outcome}",
            arrival.id,
            arrival.status.as_u16(),
        );
    }
    Ok(())
}

/// What the server has recorded.
async fn summarise(api: &LocalApi, events: &HashMap<String, &'static str>) -> anyhow::Result<()> {
    say!("");
    let mut ids: Vec<_> = events.keys().collect();
    ids.sort_unstable();
    for id in ids {
        let attempts = recorded(api, id).await?;
        let number = attempts.len();
        let plural = if number == 1 { "attempt" } else { "attempts" };
        say!("delivered  {id}  {} after {number} {plural}", events[id]);
    }
    Ok(())
}

/// The attempts at a message; the last may be answered a moment before it is recorded.
async fn recorded(api: &LocalApi, message: &str) -> anyhow::Result<Vec<Value>> {
    let path = format!("/api/v1/app/demo/attempt/msg/{message}");
    let looking = async {
        loop {
            let page = api.call(Method::GET, &path, None).await?;
            let attempts = page["data"].as_array().cloned().unwrap_or_default();
            if attempts.iter().any(|attempt| attempt["status"] == 0) {
                return anyhow::Ok(attempts);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, looking)
        .await
        .context("the attempts were not recorded")?
}

fn text(answer: &Value, field: &str) -> anyhow::Result<String> {
    let text = answer[field].as_str();
    text.map(str::to_owned)
        .with_context(|| format!("the server's answer has no `{field}`"))
}
