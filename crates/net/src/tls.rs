//! TLS: which certificates are trusted, and the handshake.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::failure::Failure;
use crate::settings::SettingsError;
use crate::target::Host;

/// Whom to trust: the system's root certificates and some of one's own. Cheap to clone; make one
/// per set of certificates and keep it, as connections are shared only under the same profile.
#[derive(Clone)]
pub struct TlsProfile(Arc<Profile>);

struct Profile {
    id: u64,
    roots: Vec<CertificateDer<'static>>,
    http2: bool,
    /// Reading the system's certificates takes milliseconds and megabytes: not before it is needed.
    config: OnceLock<Result<Arc<ClientConfig>, Box<str>>>,
}

impl TlsProfile {
    /// A profile that trusts, besides the system's roots, those in `roots_pem`.
    ///
    /// # Errors
    /// [`SettingsError::Roots`] if the text is not empty and holds no readable certificate.
    pub(crate) fn new(roots_pem: &[u8], http2: bool) -> Result<Self, SettingsError> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let roots = certificates(roots_pem)?;
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Self(Arc::new(Profile {
            id,
            roots,
            http2,
            config: OnceLock::new(),
        })))
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Shakes hands; `true` with the stream when the peer chose HTTP/2.
    pub(crate) async fn handshake(
        &self,
        host: &Host,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, bool), Failure> {
        let config = self.config().map_err(Failure::Tls)?;
        let name = server_name(host).ok_or_else(|| Failure::Tls("no valid server name".into()))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| Failure::Tls(error.to_string().into()))?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((stream, http2))
    }

    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, Box<str>> {
        let make = || {
            self.0
                .make_config()
                .map_err(|error| error.to_string().into())
        };
        self.0.config.get_or_init(make).clone()
    }
}

impl fmt::Debug for TlsProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TlsProfile({}, {} extra roots)",
            self.0.id,
            self.0.roots.len()
        )
    }
}

impl Profile {
    fn make_config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            Verifier::new_with_extra_roots(self.roots.iter().cloned(), Arc::clone(&provider))?;
        // The safe versions are 1.2 and 1.3.
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        if self.http2 {
            config.alpn_protocols.push(b"h2".to_vec());
        }
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| SettingsError::Roots(error.to_string()))?;
    if found.is_empty() && !pem.trim_ascii().is_empty() {
        return Err(SettingsError::Roots(
            "no certificate in the PEM text".into(),
        ));
    }
    // Whether each can be a root is found out now, not at the first delivery.
    let mut store = rustls::RootCertStore::empty();
    for certificate in &found {
        let added = store.add(certificate.clone());
        added.map_err(|error| SettingsError::Roots(error.to_string()))?;
    }
    Ok(found)
}

fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Ip(ip) => Some(ServerName::IpAddress((*ip).into())),
        Host::Name(name) => ServerName::try_from(name.to_string()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_a_certificate_is_an_error_and_no_text_is_none() {
        assert!(TlsProfile::new(b" \n", true).is_ok());
        assert!(matches!(
            TlsProfile::new(b"hello", true),
            Err(SettingsError::Roots(_))
        ));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            TlsProfile::new(broken, true),
            Err(SettingsError::Roots(_))
        ));
    }
}
