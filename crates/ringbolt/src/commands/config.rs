//! `ringbolt config`: what is in force, or what there is to set.

use crate::cli::ConfigArgs;
use crate::config::{Config, Layers, listing, template};
use crate::{environment, logs, output};

/// Prints what was asked for.
pub(crate) fn run(args: ConfigArgs) -> anyhow::Result<()> {
    let text = if args.toml {
        template::toml()
    } else if args.markdown {
        template::markdown()
    } else {
        let layers = Layers::merge(args.settings.sources(environment::settings()))?;
        let config = Config::read(&layers)?;
        let log_filter = environment::log_filter();
        logs::filter(log_filter.as_deref())?;
        listing::listing(&config, &layers, log_filter)
    };
    output::print(&text);
    Ok(())
}
