//! How TLS is spoken: the roots of the web and those given, TLS 1.2 and 1.3, HTTP/2 offered before HTTP/1.1.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::Identity;

/// How many servers' sessions are kept to be resumed.
const SESSIONS_KEPT: usize = 1024;

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An extra root is not a certificate.
    #[error("an extra root certificate can't be read: {0}")]
    Root(#[source] rustls::Error),
    /// The TLS library refused its configuration.
    #[error("TLS can't be set up: {0}")]
    Tls(#[source] rustls::Error),
}

/// Trusts the web's roots and these, and shows `identity` to whoever asks for a certificate.
pub(super) fn connector(
    extra_roots: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
) -> Result<TlsConnector, SetupError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in extra_roots {
        roots.add(root).map_err(SetupError::Root)?;
    }
    // Given explicitly: the process-wide default is the embedding application's.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(SetupError::Tls)?
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(Identity(key)) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS_KEPT);
    Ok(TlsConnector::from(Arc::new(config)))
}
