//! `ringbolt migrate`: brings the schema of a PostgreSQL database up to date by hand, or shows what that would do.

use std::sync::Arc;

use anyhow::Context as _;

use crate::cli::MigrateArgs;
use crate::clock::SystemClock;
use crate::config::value::StoreUrl;
use crate::config::{Config, Layers};
use crate::output::say;
use crate::{environment, first_start, wiring};

/// Does it.
pub(crate) fn run(args: MigrateArgs) -> anyhow::Result<()> {
    let layers = Layers::merge(args.settings.sources(environment::settings()))?;
    let config = Config::read(&layers)?;
    let StoreUrl::Postgres(address) = &config.general.store else {
        anyhow::bail!(
            "the store is the file {}: a server that starts on it brings it up to date by itself",
            config.store_shown()
        );
    };
    let keys = first_start::existing_keys(&config)?.context("set RINGBOLT_ENCRYPTION_KEY")?;
    let settings = wiring::postgres(&config, address, &keys, Arc::new(SystemClock::start()));
    let runtime = super::serve::runtime(1)?;
    let shown = address.shown();
    if args.dry_run {
        let look = runtime.block_on(ringbolt_store::look(&settings));
        let look = look.with_context(|| format!("cannot look at {shown}"))?;
        for (name, sql) in &look.missing {
            say!("-- {name}\n{sql}");
        }
        eprintln!(
            "{} steps are missing in {shown}; nothing was changed",
            look.missing.len()
        );
        return Ok(());
    }
    let steps = runtime.block_on(ringbolt_store::migrate(&settings));
    let steps = steps.with_context(|| format!("cannot bring {shown} up to date"))?;
    for name in &steps {
        say!("{name}");
    }
    eprintln!("{} steps were applied to {shown}", steps.len());
    Ok(())
}
