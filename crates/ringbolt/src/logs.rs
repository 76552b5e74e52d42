//! Logs on standard error: lines for people, or JSON.

use std::backtrace::Backtrace;
use std::io::IsTerminal as _;

use tracing_subscriber::filter::EnvFilter;

use crate::config::value::LogFormat;
use crate::config::{ConfigError, Problem};

/// Libraries that log at error level what a tenant's receiver does, once for each try. The attempt has it, and
/// `RUST_LOG` can ask for them by name.
const LOUD: [&str; 1] = ["rustls_platform_verifier"];

/// What is logged, by what `RUST_LOG` holds.
///
/// # Errors
/// If it cannot be understood.
pub(crate) fn filter(text: Option<&str>) -> Result<EnvFilter, ConfigError> {
    let text = text
        .filter(|text| !text.trim().is_empty())
        .unwrap_or("info");
    let builder = EnvFilter::builder();
    let unasked = LOUD.iter().filter(|name| !text.contains(**name));
    let quiet = unasked.map(|name| format!("{name}=off"));
    let all: Vec<_> = quiet.chain([text.to_owned()]).collect();
    builder.parse(all.join(",")).map_err(|why| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quiet_about_receivers_unless_they_are_asked() {
        let shown = |text| filter(text).unwrap().to_string();
        assert_eq!(shown(None), "rustls_platform_verifier=off,info");
        assert_eq!(shown(Some(" ")), "rustls_platform_verifier=off,info");
        assert_eq!(shown(Some("warn")), "rustls_platform_verifier=off,warn");
        let asked = "rustls_platform_verifier=error";
        assert_eq!(shown(Some(asked)), asked);
    }
}
