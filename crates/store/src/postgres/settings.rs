//! How a PostgreSQL store is to be, and what its connection string says.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ringbolt_model::Clock;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use zeroize::Zeroizing;

use crate::NodeName;

/// How a PostgreSQL store is to be.
#[derive(Clone)]
pub struct PostgresSettings {
    /// Where the database is.
    pub address: PostgresAddress,
    /// Where notifications are listened to, if not there: past a pooler.
    pub listen_address: Option<PostgresAddress>,
    /// The keys that encrypt at rest; the first encrypts, all decrypt. At least one.
    pub keys: Zeroizing<Vec<[u8; 32]>>,
    /// How long messages and what became of them are kept.
    pub retention: Duration,
    /// How many endpoints an application may have.
    pub max_endpoints_per_app: usize,
    /// How many messages may wait to be written.
    pub accept_queue: usize,
    /// How many bytes of payload may wait to be written.
    pub accept_queue_bytes: usize,
    /// How many connections there are at most; 4 of them are for writing and for the lease.
    pub connections: usize,
    /// Whether statements are prepared under a name. A pooler that hands connections from transaction to
    /// transaction wants that off.
    pub named_statements: bool,
    /// How long others let a silent node keep what it has.
    pub lease: Duration,
    /// A node whose clock differs by more than this from the database's accepts nothing.
    pub clock_tolerance: Duration,
    /// Who this node is to others, for people.
    pub node: NodeName,
    /// Where the store reads the time.
    pub clock: Arc<dyn Clock>,
}

impl PostgresSettings {
    /// The defaults, for this database, these keys and this clock.
    #[must_use]
    pub fn new(address: PostgresAddress, keys: Vec<[u8; 32]>, clock: Arc<dyn Clock>) -> Self {
        Self {
            address,
            listen_address: None,
            keys: Zeroizing::new(keys),
            retention: Duration::from_secs(30 * 86_400),
            max_endpoints_per_app: 10_000,
            accept_queue: 20_000,
            accept_queue_bytes: 64 << 20,
            connections: 10,
            named_statements: true,
            lease: Duration::from_secs(5),
            clock_tolerance: Duration::from_secs(10),
            node: NodeName::default(),
            clock,
        }
    }
}

impl std::fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// How much of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Nothing: the connection is secret, but nobody knows from whom.
    Anyone,
    /// Who has signed it.
    Signed,
    /// That, and that it is for this host.
    Named,
}

/// A database, as a connection string names it.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
    pub(crate) roots: Option<PathBuf>,
}

impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

/// Why text is no connection string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The library does not understand it.
    #[error("{0}")]
    Malformed(String),
    /// `sslmode` has an unknown value.
    #[error("sslmode is one of disable, prefer, require, verify-ca and verify-full")]
    SslMode,
    /// There is no database in it.
    #[error("it names no database: postgres://user@host/database")]
    NoDatabase,
}

impl FromStr for PostgresAddress {
    type Err = AddressError;

    /// `postgres://user:password@host,host/database?sslmode=verify-full&sslrootcert=FILE&target_session_attrs=read-write`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut trust, mut mode, mut roots) = (Trust::Anyone, None, None);
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => {
                    (mode, trust) = match value {
                        "disable" => (Some(SslMode::Disable), Trust::Anyone),
                        "prefer" => (Some(SslMode::Prefer), Trust::Anyone),
                        "require" => (Some(SslMode::Require), Trust::Anyone),
                        "verify-ca" => (Some(SslMode::Require), Trust::Signed),
                        "verify-full" => (Some(SslMode::Require), Trust::Named),
                        _ => return Err(AddressError::SslMode),
                    }
                }
                Some(("sslrootcert", path)) => roots = Some(PathBuf::from(decoded(path))),
                _ => kept.push(pair),
            }
        }
        let rest = if kept.is_empty() {
            base.to_owned()
        } else {
            format!("{base}?{}", kept.join("&"))
        };
        let mut config = Config::from_str(&rest)
            .map_err(|error| AddressError::Malformed(super::fault::words(&error)))?;
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(AddressError::NoDatabase);
        }
        if let Some(mode) = mode {
            config.ssl_mode(mode);
        }
        Ok(Self {
            config,
            trust,
            roots,
        })
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

impl PostgresAddress {
    /// The same for people, without the password.
    #[must_use]
    pub fn shown(&self) -> String {
        use std::fmt::Write as _;

        use tokio_postgres::config::Host;
        let mut text = String::from("postgres://");
        if let Some(user) = self.config.get_user() {
            text.push_str(user);
            text.push('@');
        }
        let ports = self.config.get_ports();
        for (place, host) in self.config.get_hosts().iter().enumerate() {
            let separator = if place == 0 { "" } else { "," };
            // Writing to text cannot fail.
            let _done = match host {
                Host::Tcp(name) => write!(text, "{separator}{name}"),
                Host::Unix(path) => write!(text, "{separator}{}", path.display()),
            };
            if let Some(port) = ports.get(place).or_else(|| ports.first()) {
                let _done = write!(text, ":{port}");
            }
        }
        text.push('/');
        text.push_str(self.config.get_dbname().unwrap_or_default());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_certificate_is_checked_for_is_read_from_the_address() {
        let read = |text: &str| text.parse::<PostgresAddress>();
        let full = "postgres://ring:pw@a,b:5433/db?sslmode=verify-full&sslrootcert=/etc/my%20ca.pem&target_session_attrs=read-write";
        let address = read(full).unwrap();
        assert_eq!(address.trust, Trust::Named);
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(address.roots, Some(PathBuf::from("/etc/my ca.pem")));
        assert_eq!(address.config.get_hosts().len(), 2);
        assert!(!format!("{address:?}").contains("pw"));
        assert_eq!(
            read("postgres://a/db?sslmode=maybe"),
            Err(AddressError::SslMode)
        );
        assert_eq!(read("postgres://a"), Err(AddressError::NoDatabase));
        assert!(matches!(
            read("postgres://a/db?nonsense=1"),
            Err(AddressError::Malformed(_))
        ));
    }
}
