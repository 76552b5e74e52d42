//! The only place where the environment of the process is read.

/// Every variable with its value. Names and values that are no text are passed over: no setting is.
pub(crate) fn settings() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((
            name.into_string().ok()?,
            value.to_string_lossy().into_owned(),
        ))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// The variable that says what is logged.
pub(crate) const LOG_FILTER: &str = "RUST_LOG";

/// What `RUST_LOG` says.
pub(crate) fn log_filter() -> Option<String> {
    settings()
        .into_iter()
        .find(|(name, _)| name == LOG_FILTER)
        .map(|(_, value)| value)
}
