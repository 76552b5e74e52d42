//! What the API is told when it starts.

use http::HeaderValue;
use ringbolt_gate::token::TokenHash;

/// How large a payload can be unless configured otherwise, in bytes.
pub const DEFAULT_MAX_PAYLOAD: usize = 1024 * 1024;
/// The largest that can be configured.
pub const LARGEST_MAX_PAYLOAD: usize = 10 * 1024 * 1024;

/// What the API is told.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// What every address that is handed out begins with; no slash at its end.
    pub public_url: String,
    /// The hash of the admin token.
    pub admin_token: TokenHash,
    /// How large a payload can be, in bytes.
    pub max_payload: usize,
    /// Origins whose pages may call the API, such as `https://app.example.com`.
    pub cors_origins: Vec<String>,
    /// Whether `/metrics` is read without a token.
    pub metrics_open: bool,
}

/// Why the API did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An origin is none.
    #[error("`{0}` is no origin; expected a scheme and a host, such as https://app.example.com")]
    Origin(String),
    /// The payload could be larger than the server can bear.
    #[error("the largest payload can be {LARGEST_MAX_PAYLOAD} bytes at most")]
    MaxPayload,
    /// The operating system has no randomness to give.
    #[error("the operating system has no randomness to give: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl ApiSettings {
    /// How large the body of a request with a message can be: the payload may come as base64, and
    /// there are other fields beside it.
    pub(crate) const fn body_limit(&self) -> usize {
        self.max_payload + self.max_payload / 3 + 64 * 1024
    }

    /// Checks what cannot be used as it is.
    pub(crate) fn check(mut self) -> Result<Self, StartError> {
        if self.max_payload > LARGEST_MAX_PAYLOAD {
            return Err(StartError::MaxPayload);
        }
        self.public_url
            .truncate(self.public_url.trim_end_matches('/').len());
        self.origins().map(|_| self.clone())
    }

    /// The origins, as the header that browsers send has them.
    pub(crate) fn origins(&self) -> Result<Vec<HeaderValue>, StartError> {
        let wrong = |origin: &String| StartError::Origin(origin.clone());
        let one = |origin: &String| {
            let text = origin.trim_end_matches('/');
            let host = text
                .strip_prefix("https://")
                .or(text.strip_prefix("http://"));
            let sound =
                host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ']));
            if !sound {
                return Err(wrong(origin));
            }
            HeaderValue::from_str(&text.to_ascii_lowercase()).map_err(|_| wrong(origin))
        };
        self.cors_origins.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(origin: &str) -> ApiSettings {
        ApiSettings {
            public_url: "https://hooks.example.com/".into(),
            admin_token: TokenHash::of("x"),
            max_payload: DEFAULT_MAX_PAYLOAD,
            cors_origins: vec![origin.into()],
            metrics_open: false,
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        let sound = settings("https://App.example.com:8443/").check().unwrap();
        assert_eq!(sound.origins().unwrap(), ["https://app.example.com:8443"]);
        assert_eq!(sound.public_url, "https://hooks.example.com");
        for wrong in [
            "*",
            "app.example.com",
            "https://",
            "https://a/b",
            "https://*.a",
        ] {
            assert!(settings(wrong).check().is_err(), "{wrong}");
        }
    }
}
