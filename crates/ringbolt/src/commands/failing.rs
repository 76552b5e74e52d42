//! `ringbolt failing`: the endpoints of all applications that fail now, as the running server knows them.

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
const FAILING: &str = "/api/v1/endpoint/failing";

/// Prints them, those that have failed for longest first.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    let layers = Layers::merge(settings.sources(environment::settings()))?;
    let config = Config::read(&layers)?;
    anyhow::ensure!(
        config.store_file().is_none_or(server_runs_on),
        "no server runs on {}: only one that runs knows what fails now",
        config.store_shown()
    );
    let api = LocalApi::new(&config, first_start::existing_token(&config)?)?;
    let mut all = super::serve::runtime(1)?.block_on(listed(&api))?;
    all.sort_by_key(FailingOut::began);
    if all.is_empty() {
        say!("no endpoint fails");
        return Ok(());
    }
    tell(&all);
    Ok(())
}

async fn listed(api: &LocalApi) -> anyhow::Result<Vec<FailingOut>> {
    let (mut all, mut iterator) = (Vec::new(), String::new());
    loop {
        let path = format!("{FAILING}?limit=250{iterator}");
        let page: PageOut = serde_json::from_value(api.call(Method::GET, &path, None).await?)?;
        all.extend(page.data);
        match page.iterator {
            Some(next) if !page.done => iterator = format!("&iterator={next}"),
            _ => return Ok(all),
        }
    }
}

fn tell(all: &[FailingOut]) {
    let uids = all.iter().map(|one| one.uid().chars().count());
    let width = uids.max().unwrap_or(0).max("uid".len()) + 2;
    say!(
        "{:<32}{:<31}{:<width$}{:<29}{:<13}{:<10}{:<18}{:<29}url",
        "application",
        "endpoint",
        "uid",
        "since",
        "why",
        "waiting",
        "lane",
        "next try"
    );
    for one in all {
        say!(
            "{:<32}{:<31}{:<width$}{:<29}{:<13}{:<10}{:<18}{:<29}{}",
            one.app_id,
            one.id,
            one.uid(),
            shown(one.began()),
            one.why(),
            one.pending,
            one.lane,
            shown(one.next_attempt),
            one.url,
        );
    }
}

fn shown(moment: Option<Timestamp>) -> String {
    moment.map_or("-".to_owned(), |moment| moment.to_string())
}

#[derive(Deserialize)]
struct PageOut {
    data: Vec<FailingOut>,
    iterator: Option<String>,
    done: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailingOut {
    id: String,
    uid: Option<String>,
    app_id: String,
    url: String,
    failing_since: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    disabled_reason: Option<String>,
    lane: String,
    next_attempt: Option<Timestamp>,
    pending: i64,
    last_failure: Option<LastFailureOut>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LastFailureOut {
    failure: String,
    response_status_code: u16,
}

impl FailingOut {
    fn began(&self) -> Option<Timestamp> {
        self.failing_since.or(self.disabled_at)
    }

    fn uid(&self) -> &str {
        self.uid.as_deref().unwrap_or("-")
    }

    /// The word for the latest failure, or the status if that is what it was.
    fn why(&self) -> String {
        match (&self.last_failure, &self.disabled_reason) {
            (Some(last), _) if last.failure == "status" => last.response_status_code.to_string(),
            (Some(last), _) => last.failure.clone(),
            (None, Some(reason)) => reason.clone(),
            (None, None) => "-".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn out(more: serde_json::Value) -> FailingOut {
        let mut all = json!({
            "id": "ep_1", "appId": "app_1", "url": "https://example.com/", "lane": "idle", "pending": 3,
        });
        let given = more.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(given);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn why_is_the_status_or_the_word() {
        let status = json!({"failure": "status", "responseStatusCode": 502});
        assert_eq!(out(json!({"lastFailure": status})).why(), "502");
        let word = json!({"failure": "timeout", "responseStatusCode": 0});
        assert_eq!(out(json!({"lastFailure": word})).why(), "timeout");
        assert_eq!(out(json!({"disabledReason": "gone"})).why(), "gone");
    }

    #[test]
    fn an_endpoint_that_was_disabled_without_failing_before_is_ill_since_then() {
        let gone = out(json!({"disabledAt": "2026-11-20T08:00:00Z"}));
        assert_eq!(shown(gone.began()), "2026-11-20T08:00:00.000000Z");
        assert_eq!(shown(out(json!({})).began()), "-");
    }
}
