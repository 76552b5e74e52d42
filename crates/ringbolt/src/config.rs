//! Configuration: a file, then the environment, then flags; each later one wins.

mod groups;
mod layers;
pub(crate) mod listing;
mod of_kubernetes;
mod problem;
pub(crate) mod reader;
mod setting;
pub(crate) mod template;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use groups::{Api, Delivery, General, Log, Net, Postgres, Retention, Runtime, Tls};
use layers::Origin;
pub(crate) use layers::{Flag, Layers, Sources};
pub(crate) use problem::{ConfigError, Problem};
use reader::Reader;
pub(crate) use setting::Setting;
use value::{HttpUrl, Size, StoreUrl};

/// The largest payload that can be configured; beyond it memory could not be bounded.
const LARGEST_PAYLOAD: Size = Size(10 << 20);

/// Everything that can be set, as it is in force.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) general: General,
    pub(crate) log: Log,
    pub(crate) tls: Tls,
    pub(crate) delivery: Delivery,
    pub(crate) net: Net,
    pub(crate) api: Api,
    pub(crate) retention: Retention,
    pub(crate) postgres: Postgres,
    pub(crate) runtime: Runtime,
    /// Who set what, of the settings that name files.
    origins: BTreeMap<&'static str, Origin>,
}

/// The settings whose values can be right although what they name is not.
const NAMING: [&str; 5] = [
    "store",
    "tls.certificate",
    "tls.key",
    "net.extra_roots",
    "encryption_key",
];

/// The groups in the order in which they are shown: name (empty for the top), text, rows.
pub(crate) const GROUPS: &[(&str, &str, &[Setting])] = &[
    ("", General::ABOUT, General::SETTINGS),
    ("log", Log::ABOUT, Log::SETTINGS),
    ("tls", Tls::ABOUT, Tls::SETTINGS),
    ("delivery", Delivery::ABOUT, Delivery::SETTINGS),
    ("net", Net::ABOUT, Net::SETTINGS),
    ("api", Api::ABOUT, Api::SETTINGS),
    ("retention", Retention::ABOUT, Retention::SETTINGS),
    ("postgres", Postgres::ABOUT, Postgres::SETTINGS),
    ("runtime", Runtime::ABOUT, Runtime::SETTINGS),
];

/// Whether settings are grouped under this name.
pub(crate) fn is_group(name: &str) -> bool {
    GROUPS.iter().any(|(group, ..)| *group == name)
}

/// Every row of the table.
pub(crate) fn all_settings() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|(_, _, rows)| rows.iter())
}

impl Config {
    /// Reads what the layers hold.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub(crate) fn read(layers: &Layers) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(layers);
        let config = Self {
            general: General::read(&mut reader),
            log: Log::read(&mut reader),
            tls: Tls::read(&mut reader),
            delivery: Delivery::read(&mut reader),
            net: Net::read(&mut reader),
            api: Api::read(&mut reader),
            retention: Retention::read(&mut reader),
            postgres: Postgres::read(&mut reader),
            runtime: Runtime::read(&mut reader),
            origins: NAMING.map(|key| (key, layers.origin(key))).into(),
        };
        config.check(&mut reader);
        reader.finish()?;
        Ok(config)
    }

    /// Rules that a value alone cannot know.
    fn check(&self, reader: &mut Reader<'_>) {
        match (&self.tls.certificate, &self.tls.key) {
            (Some(_), None) => reader.refuse("tls.certificate", "it needs `tls.key` beside it"),
            (None, Some(_)) => reader.refuse("tls.key", "it needs `tls.certificate` beside it"),
            _ => {}
        }
        if self.api.max_payload > LARGEST_PAYLOAD {
            reader.refuse("api.max_payload", "it is above 10MiB");
        }
        if self.delivery.timeout.is_zero() {
            reader.refuse("delivery.timeout", "no attempt could succeed in no time");
        }
        if self.retention.content < SHORTEST_RETENTION {
            reader.refuse("retention.content", "it is below 1s");
        }
        self.check_postgres(reader);
        if self.delivery.user_agent.chars().any(char::is_control) {
            reader.refuse("delivery.user_agent", "it has control characters");
        }
    }

    /// What several servers need to be told alike.
    fn check_postgres(&self, reader: &mut Reader<'_>) {
        if self.postgres.lease < SHORTEST_LEASE {
            reader.refuse("postgres.lease", "it is below 2s");
        }
        if self.postgres.connections.get() < LEAST_CONNECTIONS {
            reader.refuse("postgres.connections", "it is below 5");
        }
        if self.store_file().is_some() {
            return;
        }
        if self.general.encryption_key.is_none() {
            let why = "PostgreSQL needs it, the same on every node: 32 random bytes in base64 (openssl rand -base64 32)";
            reader.refuse("encryption_key", why);
        }
        if self.general.admin_token.is_none() {
            reader.refuse("admin_token", "PostgreSQL needs it, the same on every node");
        }
    }

    /// The error that says that what a setting names cannot be used.
    pub(crate) fn unusable(&self, key: &'static str, why: &str) -> ConfigError {
        let origin = self.origins.get(key).unwrap_or(&Origin::Default);
        ConfigError::of(Problem::unusable(key, origin, why))
    }

    /// Who set this one, for people.
    pub(crate) fn origin(&self, key: &'static str) -> String {
        let origin = self.origins.get(key).unwrap_or(&Origin::Default);
        origin.describe(key)
    }

    /// What every address that is handed out begins with.
    pub(crate) fn public_url(&self) -> String {
        match &self.general.public_url {
            Some(HttpUrl(url)) => url.clone(),
            None => self.own_url(self.general.listen),
        }
    }

    /// The address of the server for somebody on this machine, given what it listens on.
    pub(crate) fn own_url(&self, listens_on: std::net::SocketAddr) -> String {
        let scheme = if self.tls.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{listens_on}")
    }

    /// The file that holds everything, if it is one.
    pub(crate) fn store_file(&self) -> Option<&Path> {
        match &self.general.store {
            StoreUrl::Sqlite(path) => Some(path),
            StoreUrl::Postgres(_) => None,
        }
    }

    /// Where everything is, for people.
    pub(crate) fn store_shown(&self) -> String {
        match &self.general.store {
            StoreUrl::Sqlite(path) => path.display().to_string(),
            StoreUrl::Postgres(address) => address.shown(),
        }
    }

    /// The folder of that file: where the tokens and keys made at the first start lie, too.
    pub(crate) fn data_folder(&self) -> &Path {
        match self.store_file().and_then(Path::parent) {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Threads that do the work.
    pub(crate) fn workers(&self) -> usize {
        match self.runtime.workers {
            Some(workers) => usize::try_from(workers.get()).unwrap_or(usize::MAX),
            None => default_workers(),
        }
    }
}

/// The shortest time for which messages can be kept. What is still to be tried is kept in any case, so
/// this only saves whoever writes `0s` for "for ever" from keeping nothing.
const SHORTEST_RETENTION: std::time::Duration = std::time::Duration::from_secs(1);

/// The shortest lease: within less, a busy moment would look like a death.
const SHORTEST_LEASE: std::time::Duration = std::time::Duration::from_secs(2);

/// Three connections write the hot path, one keeps the lease, and requests need some as well.
const LEAST_CONNECTIONS: u32 = 5;

/// One less than there are cores: the store's writer is a thread of its own.
pub(crate) fn default_workers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.saturating_sub(1).max(1)
}

#[cfg(test)]
mod tests;
