//! `ringbolt config`: what is in force, or what there is to set.

use crate::cli::ConfigArgs;
use crate::config::{Config, Layers, listing, template};
use crate::{environment, output};

/// Prints what was asked for.
pub(crate) fn run(args: ConfigArgs) -> anyhow::Result<()> {
    let text = if args.toml {
        template::toml()
    } else if args.markdown {
        template::markdown()
    } else {
        let layers = Layers::merge(args.settings.sources(environment::settings()))?;
        listing::listing(&Config::read(&layers)?, &layers)
    };
    output::print(&text);
    Ok(())
}
