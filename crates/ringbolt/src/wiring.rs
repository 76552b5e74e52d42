//! What each crate below is told, from what is configured.

use std::sync::Arc;

use anyhow::Context as _;
use ringbolt_api::ApiSettings;
use ringbolt_delivery::{DriverSettings, HttpSettings};
use ringbolt_gate::token::TokenHash;
use ringbolt_model::Clock;
use ringbolt_net::{ClientSettings, Guard, Limits, OwnAddresses, ResolverSettings, TargetPolicy};
use std::path::Path;

use ringbolt_store::{NodeName, PostgresAddress, PostgresSettings, SqliteSettings};

use crate::config::value::{EncryptionKeys, Secret, Size};
use crate::config::{Config, ConfigError};

/// The settings of a store in a file.
pub(crate) fn sqlite(
    config: &Config,
    path: &Path,
    keys: &EncryptionKeys,
    clock: Arc<dyn Clock>,
) -> SqliteSettings {
    let keys = keys.reveal().iter().map(|key| **key).collect();
    SqliteSettings {
        retention: config.retention.content,
        max_endpoints_per_app: count(config.api.max_endpoints_per_app.get()),
        node: node(config),
        ..SqliteSettings::new(path.to_owned(), keys, clock)
    }
}

/// The settings of a store in PostgreSQL.
pub(crate) fn postgres(
    config: &Config,
    address: &PostgresAddress,
    keys: &EncryptionKeys,
    clock: Arc<dyn Clock>,
) -> PostgresSettings {
    let keys = keys.reveal().iter().map(|key| **key).collect();
    PostgresSettings {
        listen_address: config.postgres.listen_url.clone(),
        retention: config.retention.content,
        max_endpoints_per_app: count(config.api.max_endpoints_per_app.get()),
        connections: count(config.postgres.connections.get()),
        named_statements: config.postgres.named_statements,
        lease: config.postgres.lease,
        clock_tolerance: config.postgres.clock_tolerance,
        node: node(config),
        ..PostgresSettings::new(address.clone(), keys, clock)
    }
}

/// Who this node is.
fn node(config: &Config) -> NodeName {
    let name = || {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    };
    NodeName {
        name: config.postgres.node_name.clone().unwrap_or_else(name),
        address: config.public_url(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The machine's settings.
///
/// # Errors
/// If a file that is named cannot be read.
pub(crate) fn driver(config: &Config) -> anyhow::Result<DriverSettings> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).context("the operating system gives no randomness")?;
    Ok(DriverSettings {
        engine: engine(config),
        seed: u64::from_ne_bytes(seed),
        routes_bytes: size(config.delivery.max_routes_bytes),
        http: http(config)?,
    })
}

/// How requests to endpoints are made.
///
/// # Errors
/// If a file that is named cannot be read.
pub(crate) fn http(config: &Config) -> anyhow::Result<HttpSettings> {
    let client = client(config)?;
    let beside = TargetPolicy::beside(&client.guard);
    Ok(HttpSettings {
        policy: TargetPolicy {
            https_only: !config.delivery.allow_http,
            ..beside
        },
        client,
        timeout: config.delivery.timeout,
        signature_headers: config.delivery.signature_headers,
    })
}

fn client(config: &Config) -> anyhow::Result<ClientSettings> {
    let (delivery, net) = (&config.delivery, &config.net);
    let guard = Guard::new(delivery.allow_networks.0.clone())
        .deny(delivery.deny_networks.0.clone())
        .deny_own(own_addresses())
        .allow_ports(delivery.allow_ports.0.clone());
    let name_servers = Some(net.resolver.0.clone()).filter(|servers| !servers.is_empty());
    Ok(ClientSettings {
        guard,
        resolver: ResolverSettings {
            name_servers,
            ..ResolverSettings::default()
        },
        extra_roots_pem: extra_roots(config)?,
        proxy: delivery.egress_proxy.clone(),
        user_agent: delivery.user_agent.clone(),
        limits: Limits {
            connect_timeout: delivery.connect_timeout,
            tls_timeout: delivery.connect_timeout,
            max_idle_total: count(delivery.idle_connections),
            max_idle_per_host: count(delivery.idle_connections_per_host),
            ..Limits::default()
        },
        ..ClientSettings::default()
    })
}

/// A server whose system does not tell still knows every private one.
fn own_addresses() -> OwnAddresses {
    let own = OwnAddresses::beginning_with(Vec::new());
    if let Err(error) = own.read() {
        tracing::warn!(%error, "the addresses of this machine are not known: name its public ones in delivery.deny_networks");
    }
    own
}

fn extra_roots(config: &Config) -> Result<Vec<u8>, ConfigError> {
    let Some(path) = &config.net.extra_roots else {
        return Ok(Vec::new());
    };
    let unusable = |why: String| config.unusable("net.extra_roots", &why);
    let pem = std::fs::read(path)
        .map_err(|why| unusable(format!("cannot read {}: {why}", path.display())))?;
    let roots = crate::server::chain(path).map_err(|why| unusable(format!("{why:#}")))?;
    // A certificate that is none would be refused later, by what does not know the setting.
    let mut trusted = rustls::RootCertStore::empty();
    for root in roots {
        trusted
            .add(root)
            .map_err(|why| unusable(format!("{} holds no root: {why}", path.display())))?;
    }
    Ok(pem)
}

fn engine(config: &Config) -> ringbolt_engine::Settings {
    let delivery = &config.delivery;
    let mut settings = ringbolt_engine::Settings {
        paused: delivery.paused,
        in_flight: count(delivery.max_in_flight.get()),
        concurrency: delivery.concurrency.0.get(),
        // 10 grows to 32: enough to keep a fast endpoint busy.
        concurrency_max: delivery.concurrency.0.get().saturating_mul(16).div_ceil(5),
        timeout: delivery.timeout,
        schedule: delivery.retry_schedule.clone(),
        ..ringbolt_engine::Settings::default()
    };
    settings.health.disable_after = delivery.disable_after;
    // Half of the way at most, so that the first warning can be given.
    settings.health.apart = settings.health.apart.min(delivery.disable_after / 2);
    // One lane never takes all of the memory.
    settings.memory.bytes = size(delivery.max_memory_bytes);
    settings.memory.lane_bytes = size(delivery.max_memory_bytes) / 4;
    settings.memory.deliveries = count(delivery.max_memory_deliveries.get());
    settings.memory.lane_deliveries = settings
        .memory
        .lane_deliveries
        .min(settings.memory.deliveries);
    settings
}

/// The API's settings.
pub(crate) fn api(config: &Config, admin_token: &Secret, public_url: String) -> ApiSettings {
    ApiSettings {
        public_url,
        admin_token: TokenHash::of(admin_token.reveal()),
        max_payload: size(config.api.max_payload),
        cors_origins: config.api.cors_origins.0.clone(),
        metrics_open: config.api.metrics_open,
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn size(Size(bytes): Size) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
