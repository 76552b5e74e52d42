//! `ringbolt backup`: a consistent copy of the store, beside a server that serves or without one.

mod key;

use anyhow::Context as _;
use ringbolt_store::StoreError;

use crate::cli::BackupArgs;
use crate::config::value::format_size;
use crate::config::{Config, Layers};
use crate::first_start::TOKEN_FILE;
use crate::output::say;
use crate::{environment, kept};

/// Makes the copy and says what belongs to it.
pub(crate) fn run(args: BackupArgs) -> anyhow::Result<()> {
    let layers = Layers::merge(args.settings.sources(environment::settings()))?;
    let config = Config::read(&layers)?;
    let instead =
        "PostgreSQL has its own tools (pg_dump, pg_basebackup); keep the encryption key as well";
    let (from, to) = (kept::file(&config, "`ringbolt backup`", instead)?, args.to);
    // A log of another database beside it would get into the copy.
    ringbolt_store::refuse_foreign(from)
        .with_context(|| format!("cannot copy {}", from.display()))?;
    ringbolt_store::copy(from, &to)
        .map_err(explained)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    let size = std::fs::metadata(&to).map_or(0, |file| file.len());
    say!("{} ({}), checked", to.display(), format_size(size));
    match key::advice(&config, &to) {
        Ok(advice) => say!("{advice}"),
        Err(why) => say!("Which encryption key it needs could not be found out: {why:#}"),
    }
    if let Some(advice) = token(&config) {
        say!("{advice}");
    }
    Ok(())
}

/// Where the admin token is that clients have, if it is no part of the configuration.
fn token(config: &Config) -> Option<String> {
    let file = config.data_folder().join(TOKEN_FILE);
    let beside = config.general.admin_token.is_none() && file.exists();
    beside.then(|| {
        format!(
            "Keep the admin token {} as well: a server that is restored without it makes another.",
            file.display()
        )
    })
}

/// In the words of who copies a file.
fn explained(why: StoreError) -> anyhow::Error {
    match why {
        StoreError::NotFound => anyhow::Error::msg("there is no store"),
        StoreError::Conflict(_) => anyhow::Error::msg("that file exists already"),
        StoreError::Unreadable(found) => anyhow::anyhow!("the store is damaged: {found}"),
        why => why.into(),
    }
}
