//! `ringbolt serve`: the server, from its first moment to its last.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ringbolt_store::OpenError;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::cli::Settings;
use crate::clock::SystemClock;
use crate::config::{Config, Layers};
use crate::first_start::{self, AdminToken, Secrets};
use crate::front::Entrance;
use crate::house::House;
use crate::server::{Certificates, Door, Limits, Serving};
use crate::signals::Signals;
use crate::{environment, logs, open_files, welcome};

/// Requests in flight are short; whoever is not done by then is cut off, so that attempts get the rest
/// of the grace.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// How long a start without space on the disk waits before it tries again.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs the server until it is told to end.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    let layers = Layers::merge(settings.sources(environment::settings()))?;
    let mut config = Config::read(&layers)?;
    let filter = logs::filter(environment::log_filter().as_deref())?;
    logs::start(config.log.format, filter);
    open_files::raise(&mut config);
    runtime(config.workers())?.block_on(serve(config))
}

/// The threads that do the work.
pub(crate) fn runtime(workers: usize) -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(workers)
        .thread_name("ringbolt")
        .enable_all();
    builder.build().context("cannot start threads")
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let certificates = certificates(&config)?;
    let door = Door::open(config.general.listen)?;
    let secrets = first_start::prepare(&config)?;
    let address = door.address();
    let public_url = match &config.general.public_url {
        Some(url) => url.to_string(),
        None => config.own_url(address),
    };

    let clock = Arc::new(SystemClock::start());
    let build = async || House::open(&config, &secrets, clock.clone(), public_url.clone()).await;
    let entrance = Arc::new(Entrance::new()?);
    let first = unless_full(build().await)?;
    if let Some(house) = &first {
        entrance.open(house.front(&config));
    }
    let limits = Limits::of(&config);
    let serving = door.serve(entrance.clone(), limits, certificates.clone());
    let house = match first {
        Some(house) => house,
        None => {
            tokio::select! {
                () = signals.end(|| read_again(certificates.as_deref())) => {
                    serving.close(LAST_REQUESTS).await;
                    return Ok(());
                }
                house = at_last(build) => house.inspect(|house| entrance.open(house.front(&config)))?,
            }
        }
    };
    house.show(serving.watch());
    tracing::info!(%address, public_url, version = crate::VERSION, "serving");
    if config.delivery.paused {
        tracing::warn!("delivery.paused is on: nothing is sent, what is accepted waits");
    }
    remind_of_the_key(&secrets);
    tell_of_a_new_token(&secrets, house.admin_token());
    warn_of_an_empty_store(&config, &secrets);
    welcome::say(&config, &secrets, house.admin_token(), address);

    signals.end(|| read_again(certificates.as_deref())).await;
    tracing::info!(grace = ?config.runtime.shutdown_grace, "stopping; a second signal ends at once");
    let impatience = TaskTracker::new();
    impatience.spawn(signals.end_at_once());
    close(serving, house, config.runtime.shutdown_grace).await;
    Ok(())
}

/// Tries again until there is space.
async fn at_last(build: impl AsyncFn() -> anyhow::Result<House>) -> anyhow::Result<House> {
    tracing::error!("the disk is full; the store is opened when there is space");
    loop {
        tokio::time::sleep(AGAIN).await;
        if let Some(house) = unless_full(build().await)? {
            return Ok(house);
        }
    }
}

/// Nothing, if it is for want of space that the store cannot be opened. Any other failure is for
/// whoever started this to mend.
fn unless_full(opened: anyhow::Result<House>) -> anyhow::Result<Option<House>> {
    match opened {
        Ok(house) => Ok(Some(house)),
        Err(why) if matches!(why.downcast_ref(), Some(OpenError::Full(_))) => Ok(None),
        Err(why) => Err(why),
    }
}

/// Ends the door first, then what is behind it.
async fn close(serving: Serving, house: House, grace: Duration) {
    let end = Instant::now() + grace;
    if !serving.close(grace.min(LAST_REQUESTS)).await {
        tracing::warn!("requests that took too long were cut off");
    }
    house
        .close(end.saturating_duration_since(Instant::now()))
        .await;
}

fn certificates(config: &Config) -> anyhow::Result<Option<Arc<Certificates>>> {
    match (&config.tls.certificate, &config.tls.key) {
        (Some(certificate), Some(key)) => {
            let read = Certificates::read(certificate, key);
            let read = read.map_err(|(part, why)| config.unusable(part, &format!("{why:#}")))?;
            Ok(Some(Arc::new(read)))
        }
        _ => Ok(None),
    }
}

fn read_again(certificates: Option<&Certificates>) {
    match certificates.map(Certificates::read_again) {
        None => tracing::info!("SIGHUP: there is no certificate to read again"),
        Some(Ok(())) => tracing::info!("SIGHUP: the certificate was read again"),
        Some(Err((_, why))) => tracing::error!(
            error = format!("{why:#}"),
            "SIGHUP: the certificate cannot be used; the one before stays",
        ),
    }
}

/// A mistyped path or a disk that is not mounted looks like a first start, and only the secrets tell.
fn warn_of_an_empty_store(config: &Config, secrets: &Secrets) {
    for secret in &secrets.older_than_the_store {
        tracing::warn!(
            store = %config.store_shown(),
            secret = %secret.display(),
            "an empty store was started beside the secrets of another: if its file was moved, stop and put it back",
        );
    }
}

fn remind_of_the_key(secrets: &Secrets) {
    if let (true, Some(path)) = (secrets.key_is_new, &secrets.key_file) {
        tracing::warn!(
            path = %path.display(),
            "an encryption key was made: it belongs into the backup, without it secrets are lost",
        );
    }
}

/// Where a copy was put in place without the file of its token, what clients have is refused from now on.
fn tell_of_a_new_token(secrets: &Secrets, token: &AdminToken) {
    let (true, Some(path)) = (token.is_new, &token.file) else {
        return;
    };
    let path = path.display();
    if secrets.store_is_new {
        tracing::info!(%path, "an admin token was made");
    } else {
        tracing::warn!(
            %path,
            "an admin token was made, as the store had none beside it: one of before is refused",
        );
    }
}
