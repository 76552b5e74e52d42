//! `ringbolt backup`: a consistent copy of the store, beside a server that serves or without one.

mod copy;

use anyhow::Context as _;

use crate::cli::BackupArgs;
use crate::config::value::format_size;
use crate::config::{Config, Layers};
use crate::output::say;
use crate::{environment, first_start};

/// Makes the copy and says what belongs to it.
pub(crate) fn run(args: BackupArgs) -> anyhow::Result<()> {
    let layers = Layers::merge(args.settings.sources(environment::settings()))?;
    let config = Config::read(&layers)?;
    let (from, to) = (config.store_path(), args.to);
    copy::copy(from, &to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    let size = std::fs::metadata(&to).map_or(0, |file| file.len());
    say!("{} ({}), checked", to.display(), format_size(size));
    if config.general.encryption_key.is_none() {
        let key = config.data_folder().join(first_start::KEY_FILE);
        say!(
            "Keep {} with it: without that key the copy cannot be used.",
            key.display()
        );
    }
    Ok(())
}
