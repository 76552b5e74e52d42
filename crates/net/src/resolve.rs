//! Looks names up, as fully qualified names only, and remembers answers for their time to live.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{ResolverBuilder, TokioResolver};

use crate::failure::DnsFailure;
use crate::settings::SettingsError;

/// Where names are looked up.
#[derive(Debug, Clone, Default)]
pub struct ResolverSettings {
    /// Name servers to ask; `None` takes the system's configuration and its hosts file.
    pub name_servers: Option<Vec<SocketAddr>>,
    /// Names in lower case, without a trailing dot, that are answered from here.
    pub overrides: HashMap<String, Vec<IpAddr>>,
}

/// Entries in the cache of answers.
const CACHE_SIZE: u64 = 4096;
/// An answer is not believed for longer than this, whatever it says of itself.
const MAX_TTL: Duration = Duration::from_secs(300);
/// The absence of a name is forgotten sooner, so that a new endpoint works soon.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(10);

/// The resolver in use.
pub(crate) struct Resolver {
    overrides: HashMap<String, Vec<IpAddr>>,
    dns: TokioResolver,
    timeout: Duration,
    problem: Option<String>,
}

impl Resolver {
    pub(crate) fn new(
        settings: ResolverSettings,
        timeout: Duration,
    ) -> Result<Self, SettingsError> {
        let (builder, problem) = builder(settings.name_servers);
        let dns = configure(builder, timeout)
            .build()
            .map_err(|error| SettingsError::Resolver(error.to_string()))?;
        Ok(Self {
            overrides: settings.overrides,
            dns,
            timeout,
            problem,
        })
    }

    /// Why the system's resolver configuration is not in use, if it should be.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The addresses of a name, at least one, those of both families taking turns.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, DnsFailure> {
        if let Some(addresses) = self.overrides.get(name) {
            return non_empty(addresses.clone());
        }
        let fully_qualified = fully_qualified(name)?;
        let lookup = self.dns.lookup_ip(fully_qualified);
        let answer = tokio::time::timeout(self.timeout, lookup)
            .await
            .map_err(|_elapsed| DnsFailure::Timeout)?
            .map_err(|error| classify(&error))?;
        non_empty(take_turns(answer.iter()))
    }
}

/// Search domains never apply to such a name.
fn fully_qualified(name: &str) -> Result<Name, DnsFailure> {
    let mut name = Name::from_ascii(name).map_err(|_invalid| DnsFailure::NotFound)?;
    name.set_fqdn(true);
    Ok(name)
}

fn non_empty(addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, DnsFailure> {
    if addresses.is_empty() {
        Err(DnsFailure::NotFound)
    } else {
        Ok(addresses)
    }
}

/// IPv4 first, then the other family, and so on: whichever family does not work here costs one try.
fn take_turns(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let (v4, v6): (Vec<_>, Vec<_>) = addresses.partition(IpAddr::is_ipv4);
    let mut turns = Vec::with_capacity(v4.len() + v6.len());
    let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
    loop {
        let pair = (v4.next(), v6.next());
        if pair == (None, None) {
            return turns;
        }
        turns.extend(pair.0);
        turns.extend(pair.1);
    }
}

type Builder = ResolverBuilder<TokioRuntimeProvider>;

fn builder(name_servers: Option<Vec<SocketAddr>>) -> (Builder, Option<String>) {
    match name_servers {
        Some(servers) => (asking(servers.into_iter().map(name_server).collect()), None),
        None => match TokioResolver::builder_tokio() {
            Ok(builder) => (builder, None),
            // A machine without DNS still delivers to addresses and to names in its hosts file.
            Err(error) => (asking(Vec::new()), Some(error.to_string())),
        },
    }
}

fn asking(servers: Vec<NameServerConfig>) -> Builder {
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().use_hosts_file = ResolveHosts::Never;
    builder
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

fn configure(mut builder: Builder, timeout: Duration) -> Builder {
    let options = builder.options_mut();
    // Two tries fit into the time that a look-up has in all.
    options.timeout = timeout * 2 / 5;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = CACHE_SIZE;
    options.positive_max_ttl = Some(MAX_TTL);
    options.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
    builder
}

fn classify(error: &NetError) -> DnsFailure {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => DnsFailure::NotFound,
        NetError::Timeout => DnsFailure::Timeout,
        _ => DnsFailure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_take_turns_beginning_with_ipv4() {
        let addresses = ["::1", "::2", "::3", "10.0.0.1"].map(|text| text.parse().unwrap());
        let turns: Vec<String> = take_turns(addresses.into_iter())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(turns, ["10.0.0.1", "::1", "::2", "::3"]);
    }

    #[test]
    fn a_name_is_looked_up_without_search_domains() {
        assert!(fully_qualified("receiver").unwrap().is_fqdn());
        assert!(fully_qualified("a.example.com").unwrap().is_fqdn());
    }
}
