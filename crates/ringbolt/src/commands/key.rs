//! `ringbolt key`: API keys, through the API of the running server or on the file without one.

mod on_file;
mod over_api;

use std::sync::Arc;

use anyhow::Context as _;
use ringbolt_model::{Clock, Timestamp};
use ringbolt_store::SqliteStore;

use crate::cli::{KeyCommand, KeyCreate, Settings};
use crate::clock::SystemClock;
use crate::config::{Config, Layers};
use crate::output::say;
use crate::running::server_runs_on;
use crate::{environment, first_start, kept, wiring};
use on_file::OnFile;
use over_api::OverApi;

/// Does it.
pub(crate) fn run(command: KeyCommand) -> anyhow::Result<()> {
    super::serve::runtime(1)?.block_on(async {
        match command {
            KeyCommand::Create(args) => create(args).await,
            KeyCommand::List(args) => list(args.settings).await,
            KeyCommand::Revoke(args) => revoke(&args.id, args.settings).await,
        }
    })
}

async fn create(args: KeyCreate) -> anyhow::Result<()> {
    let (clock, keys) = open(args.settings)?;
    let wanted = Wanted {
        name: args.name,
        role: args.role,
        application: args.application,
        expires_at: args.expires_in.map(|span| clock.now() + span),
    };
    let made = match keys {
        Keys::OnFile(keys) => keys.create(wanted).await?,
        Keys::OverApi(keys) => keys.create(wanted).await?,
    };
    // The token alone on standard output, so that a script can take it.
    eprintln!("{} was made; its token is shown this once:", made.id);
    say!("{}", made.token);
    Ok(())
}

async fn list(settings: Settings) -> anyhow::Result<()> {
    let (clock, keys) = open(settings)?;
    let keys = match keys {
        Keys::OnFile(keys) => keys.list().await?,
        Keys::OverApi(keys) => keys.list().await?,
    };
    say!(
        "{:<32}{:<8}{:<24}{:<10}{:<32}{:<29}last used",
        "id",
        "role",
        "name",
        "state",
        "application",
        "expires"
    );
    for key in keys {
        say!(
            "{:<32}{:<8}{:<24}{:<10}{:<32}{:<29}{}",
            key.id,
            key.role,
            key.name,
            key.state(clock.now()),
            key.application.as_deref().unwrap_or("all"),
            shown(key.expires_at),
            shown(key.last_used_at),
        );
    }
    Ok(())
}

fn shown(moment: Option<Timestamp>) -> String {
    moment.map_or("never".to_owned(), |moment| moment.to_string())
}

async fn revoke(id: &str, settings: Settings) -> anyhow::Result<()> {
    let (_, keys) = open(settings)?;
    match keys {
        Keys::OnFile(keys) => keys.revoke(id).await?,
        Keys::OverApi(keys) => keys.revoke(id).await?,
    }
    say!("{id} is revoked");
    Ok(())
}

/// Where the keys are reached.
enum Keys {
    OnFile(Box<OnFile>),
    OverApi(OverApi),
}

/// A key that is to be made.
struct Wanted {
    name: String,
    role: ringbolt_model::Role,
    application: Option<String>,
    expires_at: Option<Timestamp>,
}

/// A key that was made.
struct Made {
    id: String,
    token: String,
}

/// A key, as it is listed.
struct Listed {
    id: String,
    name: String,
    role: String,
    application: Option<String>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    revoked: bool,
}

impl Listed {
    fn state(&self, now: Timestamp) -> &'static str {
        match self.expires_at {
            _ if self.revoked => "revoked",
            Some(end) if end <= now => "expired",
            _ => "works",
        }
    }
}

/// Only a server makes secrets; who reads keys or makes one changes nothing else.
fn no_key(config: &Config) -> String {
    let place = config.data_folder().join(first_start::KEY_FILE);
    format!(
        "there is no encryption key at {}: start the server once, or set RINGBOLT_ENCRYPTION_KEY",
        place.display()
    )
}

/// That server, if one has the file, otherwise the file.
fn open(settings: Settings) -> anyhow::Result<(Arc<dyn Clock>, Keys)> {
    let layers = Layers::merge(settings.sources(environment::settings()))?;
    let config = Config::read(&layers)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let instead = "its keys are made through the API of a server that runs";
    let path = kept::file(&config, "`ringbolt key`", instead);
    if config.store_file().is_none_or(server_runs_on) {
        let token = first_start::existing_token(&config)?;
        return Ok((clock, Keys::OverApi(OverApi::new(&config, token)?)));
    }
    let path = path?;
    anyhow::ensure!(
        path.exists(),
        "there is no store at {}: run this where the server runs, or name its store with --store",
        path.display()
    );
    let keys = first_start::existing_keys(&config)?.with_context(|| no_key(&config))?;
    let settings = wiring::sqlite(&config, path, &keys, Arc::clone(&clock));
    let path = path.display();
    let store =
        SqliteStore::open(settings).with_context(|| format!("cannot open the store {path}"))?;
    let on_file = OnFile::new(store, Arc::clone(&clock));
    Ok((clock, Keys::OnFile(Box::new(on_file))))
}
