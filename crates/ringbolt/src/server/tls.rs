//! TLS by this server itself: certificate and key from files, read again on request.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Which setting names what cannot be used, and why it cannot.
pub(crate) type Unusable = (&'static str, anyhow::Error);

/// The certificate in force.
pub(crate) struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
}

impl Certificates {
    /// Reads both files.
    ///
    /// # Errors
    /// If one cannot be read, or they do not belong together; with the setting that is to be mended.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, Unusable> {
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: RwLock::new(load(certificate, key)?),
        })
    }

    /// Reads both files again, for connections from now on. What was in force stays so if they are
    /// not usable.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub(crate) fn read_again(&self) -> Result<(), Unusable> {
        let fresh = load(&self.certificate, &self.key)?;
        *self.current.write() = fresh;
        Ok(())
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read())
    }
}

/// The certificates of a PEM file, the server's own first.
pub(crate) fn chain(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let cannot = || format!("cannot read the certificate in {}", path.display());
    let chain = CertificateDer::pem_file_iter(path).with_context(cannot)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().with_context(cannot)?;
    if chain.is_empty() {
        bail!("there is no certificate in {}", path.display());
    }
    Ok(chain)
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Unusable> {
    let chain = chain(certificate).map_err(|why| ("tls.certificate", why))?;
    pair(chain, certificate, key).map_err(|why| ("tls.key", why))
}

fn pair(
    chain: Vec<CertificateDer<'static>>,
    certificate: &Path,
    key: &Path,
) -> anyhow::Result<Arc<ServerConfig>> {
    let secret = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read the private key in {}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| {
            format!(
                "{} and {} are not usable together",
                certificate.display(),
                key.display()
            )
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
