//! `ringbolt doctor`: whether a server can work here, and what to do where it cannot.

mod outbound;
mod place;

use ringbolt_model::{Clock as _, Timestamp};
use ringbolt_net::Client;

use crate::cli::DoctorArgs;
use crate::clock::SystemClock;
use crate::config::{Config, Layers};
use crate::open_files::{self, OpenFiles};
use crate::output::say;
use crate::{environment, wiring};

/// No clock that works shows a time before this was written: 2026-11-01.
const WRITTEN: Timestamp = Timestamp::from_seconds(1_793_491_200);

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
    let mut report = Report::default();
    report.tell("configuration", Finding::Good("it is valid".into()));
    report.tell("store", place::store(&config));
    report.tell("disk", place::disk(&config));
    report.tell("address", place::address(&config));
    report.tell("clock", clock());
    report.tell("open files", files(&config));
    super::serve::runtime(1)?.block_on(network(&config, target.as_deref(), &mut report))?;
    match report.bad {
        0 => Ok(()),
        1 => anyhow::bail!("one thing is wrong"),
        bad => anyhow::bail!("{bad} things are wrong"),
    }
}

async fn network(config: &Config, target: Option<&str>, report: &mut Report) -> anyhow::Result<()> {
    let settings = wiring::http(config)?;
    let client = Client::new(settings.client.clone())?;
    report.tell("DNS", names(config, &client));
    report.tell(
        "TLS roots",
        match client.tls_problem() {
            None => Finding::Good("certificates of endpoints can be verified".into()),
            Some(why) => Finding::Bad(format!("no https endpoint can be reached: {why}")),
        },
    );
    match target {
        None => report.tell(
            "outbound",
            Finding::Good("not tried: give a URL to try".into()),
        ),
        Some(url) => {
            for finding in outbound::attempt(&client, &settings, url).await {
                report.tell("outbound", finding);
            }
        }
    }
    Ok(())
}

fn clock() -> Finding {
    let now = SystemClock::start().now();
    if now < WRITTEN {
        return Finding::Bad(format!(
            "it shows {now}, which is in the past: set it, with NTP"
        ));
    }
    Finding::Good(format!(
        "it shows {now}; receivers refuse signatures that are 5 minutes off"
    ))
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

fn names(config: &Config, client: &Client) -> Finding {
    let servers = &config.net.resolver.0;
    match client.resolver_problem() {
        Some(why) => Finding::Bad(format!(
            "the system's name servers cannot be used: {why}; set net.resolver"
        )),
        None if servers.is_empty() => Finding::Good("the system's name servers are asked".into()),
        None => Finding::Good(format!("configured name servers are asked: {servers:?}")),
    }
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
