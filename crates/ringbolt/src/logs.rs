//! Logs on standard error: lines for people, or JSON.

use std::backtrace::Backtrace;
use std::io::IsTerminal as _;

use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use crate::config::value::LogFormat;
use crate::config::{ConfigError, Problem};

/// What is logged, by what `RUST_LOG` holds.
///
/// # Errors
/// If it cannot be understood.
pub(crate) fn filter(text: Option<&str>) -> Result<EnvFilter, ConfigError> {
    let text = text.unwrap_or_default();
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    builder.parse(text).map_err(|why| {
        let why = format!("`{text}`: {why}");
        ConfigError::of(Problem::log_filter(&why))
    })
}

/// Begins to log what the filter lets through.
pub(crate) fn start(format: LogFormat, filter: EnvFilter) {
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
}
