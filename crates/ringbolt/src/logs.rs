//! Logs on standard error: lines for people, or JSON.

use std::backtrace::Backtrace;
use std::io::IsTerminal as _;

use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use crate::config::value::LogFormat;
use crate::config::{ConfigError, Problem};

/// Begins to log. `filter` is what `RUST_LOG` holds.
///
/// # Errors
/// If the filter cannot be understood.
pub(crate) fn start(format: LogFormat, filter: Option<&str>) -> Result<(), ConfigError> {
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = builder
        .parse(filter.unwrap_or_default())
        .map_err(|why| ConfigError::of(Problem::about("RUST_LOG", &why.to_string())))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // What cannot be logged (a full disk, a reader that went away) is let go: saying so would need
        // the same standard error, and a panic over it would end the server.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(%panic, backtrace = %Backtrace::capture(), "a task has panicked; the others go on");
    }));
    Ok(())
}
