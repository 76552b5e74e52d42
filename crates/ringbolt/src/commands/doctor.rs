//! `ringbolt doctor`: whether a server can work here, and what to do where it cannot.

mod database;
mod names;
mod outbound;
mod place;
mod store;
mod time;
mod tls;
mod validity;

use std::path::Path;

use ringbolt_model::{Clock as _, Timestamp};
use ringbolt_net::Client;

use crate::cli::DoctorArgs;
use crate::clock::SystemClock;
use crate::config::{Config, Layers};
use crate::open_files::{self, OpenFiles};
use crate::output::say;
use crate::{environment, logs, wiring};

/// What a check found.
enum Finding {
    /// It is as it should be.
    Good(String),
    /// It works, but somebody should know.
    Doubtful(String),
    /// A server would not work.
    Bad(String),
}

/// Checks everything; fails if anything is bad.
pub(crate) fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let target = args.target().map(str::to_owned);
    let layers = Layers::merge(args.settings.sources(environment::settings()))?;
    let config = Config::read(&layers)?;
    logs::filter(environment::log_filter().as_deref())?;
    let clock = SystemClock::start();
    let mut report = Report::default();
    report.tell("configuration", Finding::Good("it is valid".into()));
    let newest = match config.store_file() {
        Some(path) => on_a_file(&config, path, &mut report),
        None => {
            let found = super::serve::runtime(1)?.block_on(database::store(&config));
            report.tell("store", found);
            None
        }
    };
    report.tell("address", place::address(&config));
    report.tell("clock", time::clock(clock.now(), newest));
    report.tell("open files", files(&config));
    report.tell("TLS", tls::pair(&config, clock.now()));
    let network = network(&config, target.as_deref(), &clock, &mut report);
    super::serve::runtime(1)?.block_on(network)?;
    match report.bad {
        0 => Ok(()),
        1 => anyhow::bail!("one thing is wrong"),
        bad => anyhow::bail!("{bad} things are wrong"),
    }
}

/// Where everything is in a file; gives the time of the newest id in it.
fn on_a_file(config: &Config, path: &Path, report: &mut Report) -> Option<Timestamp> {
    let (store, newest) = store::store(config, path);
    report.tell("store", store);
    report.tell("pages", store::pages(path));
    report.tell("disk", place::disk(config));
    report.tell("space", place::space(config));
    newest
}

async fn network(
    config: &Config,
    target: Option<&str>,
    clock: &SystemClock,
    report: &mut Report,
) -> anyhow::Result<()> {
    let settings = match wiring::http(config) {
        Ok(settings) => settings,
        Err(why) => {
            let without = "nothing can be tried without them";
            report.tell("extra roots", Finding::Bad(format!("{why:#}; {without}")));
            return Ok(());
        }
    };
    report.tell("extra roots", tls::roots(config, clock.now()));
    let client = Client::new(settings.client.clone())?;
    report.tell(
        "system roots",
        match client.tls_problem() {
            None => Finding::Good("certificates of endpoints can be verified".into()),
            Some(why) => Finding::Bad(format!(
                "no https endpoint can be reached: {why}; install the package ca-certificates"
            )),
        },
    );
    report.tell("DNS", names::names(config, &client, &settings).await);
    match target {
        None => report.tell(
            "outbound",
            Finding::Good("not tried: give a URL to try".into()),
        ),
        Some(url) => {
            for finding in outbound::attempt(&client, &settings, clock, url).await {
                report.tell("outbound", finding);
            }
        }
    }
    Ok(())
}

fn files(config: &Config) -> Finding {
    let (limits, needed) = (OpenFiles::now(), open_files::needed(config));
    let shown = |limit: Option<u64>| limit.map_or("no limit".to_owned(), |limit| limit.to_string());
    let raised = OpenFiles {
        soft: limits.hard,
        ..limits
    };
    if raised.suffice_for(needed) {
        return Finding::Good(format!(
            "{} possible, {needed} needed at most",
            shown(limits.hard)
        ));
    }
    Finding::Doubtful(format!(
        "{} possible, but up to {needed} are needed: raise the limit (LimitNOFILE=, ulimit -Hn) or lower \
         api.max_connections",
        shown(limits.hard),
    ))
}

/// Tells findings as they come.
#[derive(Default)]
struct Report {
    bad: usize,
}

impl Report {
    fn tell(&mut self, what: &str, finding: Finding) {
        let (mark, text) = match finding {
            Finding::Good(text) => ("ok  ", text),
            Finding::Doubtful(text) => ("note", text),
            Finding::Bad(text) => {
                self.bad += 1;
                ("BAD ", text)
            }
        };
        say!("{mark}  {what:<14}{text}");
    }
}
