//! What a client is told when it is made.

use std::time::Duration;

use crate::guard::Guard;
use crate::headers::HeaderError;
use crate::proxy::EgressProxy;
use crate::resolve::ResolverSettings;

/// Everything that a [`Client`](crate::Client) needs to know. Nothing is taken from the
/// environment; proxies in particular are used only when they are named here.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Which addresses and ports may be dialled.
    pub guard: Guard,
    /// Where names are looked up.
    pub resolver: ResolverSettings,
    /// Root certificates (PEM, any number) that are trusted besides the system's.
    pub extra_roots_pem: Vec<u8>,
    /// Sends everything through a proxy, which then does the filtering of names.
    pub proxy: Option<EgressProxy>,
    /// The `User-Agent` of requests that bring none.
    pub user_agent: String,
    /// Offers HTTP/2 in the TLS handshake.
    pub http2: bool,
    /// Limits of time and size.
    pub limits: Limits,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            guard: Guard::default(),
            resolver: ResolverSettings::default(),
            extra_roots_pem: Vec::new(),
            proxy: None,
            user_agent: concat!("Ringbolt/", env!("CARGO_PKG_VERSION")).to_owned(),
            http2: true,
            limits: Limits::default(),
        }
    }
}

/// Limits of each phase. The limit of a whole exchange comes with the exchange.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the look-up of a name.
    pub resolve_timeout: Duration,
    /// For the connection, over all addresses of a name, the egress proxy's part included.
    pub connect_timeout: Duration,
    /// For the TLS handshake.
    pub tls_timeout: Duration,
    /// How long a connection may lie idle. Below the 60 to 75 s that servers usually keep it, so
    /// that it is we who let go.
    pub idle_timeout: Duration,
    /// Idle connections in all; the longest idle one makes room.
    pub max_idle_total: usize,
    /// Idle connections to one scheme, host and port.
    pub max_idle_per_host: usize,
    /// Bytes of a reply's head, informational responses included.
    pub max_header_bytes: usize,
    /// Bytes of a reply's body that are kept; no more are read.
    pub max_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resolve_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            tls_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(50),
            max_idle_total: 1024,
            max_idle_per_host: 512,
            max_header_bytes: 32 << 10,
            max_body_bytes: 64 << 10,
        }
    }
}

/// Why no client can be made of the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The extra root certificates cannot be read.
    #[error("root certificates: {0}")]
    Roots(String),
    /// The egress proxy's URL is not usable.
    #[error("egress proxy: {0}")]
    Proxy(&'static str),
    /// The user agent is no header value.
    #[error("user agent: {0}")]
    UserAgent(#[source] HeaderError),
    /// The resolver could not be set up.
    #[error("resolver: {0}")]
    Resolver(String),
}
