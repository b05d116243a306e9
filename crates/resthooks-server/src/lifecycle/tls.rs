//! TLS for the API: the certificate and its key, read at the start and again when asked to, and the handshake of one
//! connection, bounded in time.
//!
//! Whatever is wrong with new files, the old certificate stays; connections that are open keep what they began with.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use resthooks::env::Clock;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::stream::Metered;

/// For the whole handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// What every TLS connection begins with: a record of its handshake.
const HANDSHAKE_RECORD: u8 = 0x16;
/// How long, and how much, a caller of HTTP is read after it was told that it's wrong here: it would not see the
/// answer if the connection ended with something unread.
const DROPPED_WITHIN: Duration = Duration::from_secs(1);
const DROPPED_BYTES: u64 = 64 * 1024;
const WRONG_SCHEME: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 48\r\n\
    connection: close\r\n\r\nthis port speaks TLS: ask with https, not http.\n";

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The certificate, followed by those of the authorities between it and a known one; PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// Why a certificate can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--{setting}: {message}")]
pub(crate) struct Error {
    /// The setting whose file it is.
    pub setting: &'static str,
    /// What is wrong with which file.
    pub message: String,
}

impl Error {
    fn new(setting: &'static str, file: &Path, problem: impl Display) -> Self {
        Self { setting, message: format!("{} {problem}", file.display()) }
    }

    /// Only what the operating system says is passed on: other messages may repeat parts of the file.
    fn reading(setting: &'static str, file: &Path, error: &pem::Error, holds: &str) -> Self {
        match error {
            pem::Error::Io(error) => Self::new(setting, file, format_args!("can't be read: {error}")),
            pem::Error::NoItemsFound => Self::new(setting, file, format_args!("holds no {holds} in PEM")),
            _ => Self::new(setting, file, "is damaged: it's not PEM throughout"),
        }
    }
}

impl Files {
    /// Reads both, and sees whether they belong together.
    ///
    /// # Errors
    /// Names the setting and its file.
    pub(crate) fn load(&self) -> Result<Arc<ServerConfig>, Error> {
        let certificate = &self.certificate;
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
            .map_err(|e| Error::reading("tls-cert", certificate, &e, "certificate"))?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|e| Error::reading("tls-key", &self.key, &e, "private key that is not encrypted"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("the provider's cipher suites are for both")
            .with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).map_err(|e| self.unusable(&e))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn unusable(&self, error: &rustls::Error) -> Error {
        let Self { certificate, key } = self;
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let problem = format!("is not the key of the certificate in {}", certificate.display());
                Error::new("tls-key", key, problem)
            }
            rustls::Error::InvalidCertificate(error) => {
                let problem = format!("holds a certificate that can't be used: {error}");
                Error::new("tls-cert", certificate, problem)
            }
            _ => {
                Error::new("tls-key", key, "holds a key that can't be used: it must be ECDSA, Ed25519 or RSA")
            }
        }
    }
}

/// What callers are shown.
#[derive(Debug)]
pub(crate) struct Tls {
    files: Files,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Names the setting and its file.
    pub(crate) fn load(files: Files) -> Result<Self, Error> {
        let config = RwLock::new(files.load()?);
        Ok(Self { files, config })
    }

    /// Reads the files again. New connections get what they hold now, or what they held before when that can't be
    /// used.
    pub(crate) fn reload(&self) {
        let file = self.files.certificate.display();
        match self.files.load() {
            Ok(config) => {
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
                tracing::info!(%file, "the certificate was read again");
            }
            Err(error) => {
                tracing::error!(%error, "the certificate was not read again: the one before stays in use");
            }
        }
    }

    /// The handshake of one connection; none when it failed, was too slow, or was never meant to be one.
    pub(super) async fn admit(&self, stream: Metered, clock: &dyn Clock) -> Option<TlsStream<Metered>> {
        let handshake = async {
            match stream.first_byte().await {
                Ok(Some(HANDSHAKE_RECORD)) => {}
                // The first letter of a method.
                Ok(Some(byte)) if byte.is_ascii_uppercase() => {
                    turn_away(stream, clock).await;
                    return None;
                }
                _ => return None,
            }
            let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
            match TlsAcceptor::from(config).accept(stream).await {
                Ok(stream) => Some(stream),
                Err(error) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    None
                }
            }
        };
        tokio::select! {
            admitted = handshake => admitted,
            () = clock.sleep(HANDSHAKE_WITHIN) => None,
        }
    }
}

/// Tells somebody who speaks HTTP without TLS what is wrong.
async fn turn_away(mut stream: Metered, clock: &dyn Clock) {
    let told = async {
        stream.write_all(WRONG_SCHEME).await?;
        stream.shutdown().await?;
        let mut rest = stream.take(DROPPED_BYTES);
        let mut dropped = [0; 1024];
        while rest.read(&mut dropped).await? > 0 {}
        io::Result::Ok(())
    };
    tokio::select! {
        // It may have gone away already.
        _ = told => {}
        () = clock.sleep(DROPPED_WITHIN) => {}
    }
}
