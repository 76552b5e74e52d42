//! Connections: how they are made, set up and kept.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::Stream;
use futures_util::stream::poll_fn;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::{AsyncMessage, Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Fault;
use super::certificates::{AnyCertificate, AnyName};
use super::open::PostgresOpenError;
use super::settings::{PostgresAddress, Trust};

/// The longest that anything waits to be connected to one host.
const CONNECT: Duration = Duration::from_secs(1);
/// The longest that a request waits for a free connection.
const WAIT: Duration = Duration::from_millis(1500);

/// What every connection is told first: bounds for statements, for waits, and for transactions whose client sleeps.
/// All are below the lease. Plans go by index and in its order, since tables that were empty when a statement was prepared fill up.
const SET_UP: &str = "SET statement_timeout = '4s'; SET lock_timeout = '2s'; \
    SET idle_in_transaction_session_timeout = '3s'; SET client_min_messages = 'warning'; \
    SET timezone = 'UTC'; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
    SET enable_bitmapscan = off; \
    SET jit = off";

fn config(address: &PostgresAddress) -> Config {
    let mut config = address.config.clone();
    config.application_name("ringbolt");
    config.connect_timeout(CONNECT);
    config.keepalives_idle(Duration::from_secs(30));
    config.tcp_user_timeout(Duration::from_secs(10));
    config
}

/// What a database says unasked.
pub(super) type Messages = Pin<Box<dyn Stream<Item = Result<AsyncMessage, Error>> + Send>>;

/// A connection that belongs to no pool; it moves on while somebody waits for its messages.
pub(super) async fn single(address: &PostgresAddress) -> Result<(Client, Messages), Fault> {
    let tls = tls(address).map_err(|error| Fault::Unreachable(error.to_string()))?;
    let (client, mut connection) = config(address).connect(tls).await?;
    let messages = poll_fn(move |context| connection.poll_message(context));
    Ok((client, Box::pin(messages)))
}

/// Makes connections to one database, set up and ready.
///
/// Behind a pooler that hands connections on (`named` is false) what a connection is told does not stay with it: there the
/// operator tells the role, once, as `docs/src/postgres.md` says.
pub(super) fn pool(
    address: &PostgresAddress,
    most: usize,
    named: bool,
) -> Result<Pool, PostgresOpenError> {
    let config = config(address);
    let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1);
    let manager = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(config, tls(address)?, manager);
    Pool::builder(manager)
        .max_size(most)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT * (hosts + 1)))
        .post_create(Hook::async_fn(move |client, _| {
            Box::pin(async move {
                let told = if named { SET_UP } else { "" };
                client.batch_execute(told).await.map_err(HookError::Backend)
            })
        }))
        .build()
        .map_err(|error| PostgresOpenError::Unreachable(error.to_string()))
}

fn tls(address: &PostgresAddress) -> Result<MakeRustlsConnect, PostgresOpenError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| PostgresOpenError::Tls(error.to_string()))?;
    let config = match address.trust {
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        Trust::Signed => {
            let inner =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots(address)?), provider)
                    .build()
                    .map_err(|error| PostgresOpenError::Tls(error.to_string()))?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyName(inner)))
        }
        Trust::Named => builder.with_root_certificates(roots(address)?),
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

/// The certificates of whoever may have signed the server's.
fn roots(address: &PostgresAddress) -> Result<RootCertStore, PostgresOpenError> {
    let Some(path) = &address.roots else {
        let why =
            "sslrootcert has to name a file of certificates for sslmode=verify-ca and verify-full";
        return Err(PostgresOpenError::Tls(why.into()));
    };
    let unusable = |why: String| PostgresOpenError::Tls(format!("{}: {why}", path.display()));
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("no certificate is in it".into()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_the_role_behind_a_pooler_what_a_connection_is_told() {
        let page = include_str!("../../../../docs/src/postgres.md");
        let told = SET_UP.split(';').map(|setting| setting.trim().to_owned());
        for setting in told.filter(|setting| !setting.is_empty()) {
            let line = format!("ALTER ROLE ringbolt {setting};");
            assert!(page.contains(&line), "{line}");
        }
    }
}
