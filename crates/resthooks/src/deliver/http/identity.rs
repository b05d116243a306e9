//! The certificate that is shown to targets which ask for one (mTLS).

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A certificate, those that vouch for it, and its private key. Cheap to clone; shows nothing of them.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// Why a certificate and a key are no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The certificates can't be used.
    #[error("{0}")]
    Certificate(String),
    /// The key can't be used.
    #[error("{0}")]
    Key(String),
    /// The key is another certificate's.
    #[error("the private key is not that of the certificate")]
    Mismatch,
}

impl Identity {
    /// Reads PEM: the certificate with those that vouch for it behind it, and its key in PKCS#8, SEC1 or PKCS#1.
    ///
    /// # Errors
    /// Says which of the two can't be used and why, or that they don't belong together. Never repeats a byte of them.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let unreadable = |e| IdentityError::Certificate(format!("can't be read as PEM: {e}"));
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(unreadable)?;
        if chain.is_empty() {
            return Err(IdentityError::Certificate("holds no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| IdentityError::Key(unread_key(&e)))?;
        Self::new(chain, key)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, IdentityError> {
        let provider = rustls::crypto::ring::default_provider();
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|e| IdentityError::Key(format!("holds a private key that can't be used: {e}")))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
                Err(IdentityError::Mismatch)
            }
            // A kind of key that can't be compared: whoever asks for the certificate will find out.
            Err(rustls::Error::InconsistentKeys(_)) => Ok(Self(Arc::new(certified))),
            Err(e) => Err(IdentityError::Certificate(format!("holds a certificate that can't be used: {e}"))),
        }
    }
}

fn unread_key(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            "holds no private key in PKCS#8, SEC1 or PKCS#1 that is not encrypted".to_owned()
        }
        error => format!("can't be read as PEM: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn issued() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["hooks.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn read(chain: &str, key: &str) -> Result<Identity, IdentityError> {
        Identity::from_pem(chain.as_bytes(), key.as_bytes())
    }

    #[test]
    fn a_certificate_and_its_key_belong_together() {
        let ((chain, key), (other_chain, other_key)) = (issued(), issued());
        let identity = read(&chain, &key).unwrap();
        assert_eq!(identity.0.cert.len(), 1);
        assert_eq!(read(&format!("{chain}{other_chain}"), &key).unwrap().0.cert.len(), 2);
        assert!(read(&format!("{key}{chain}"), &format!("{chain}{key}")).is_ok(), "both in one file");
        assert_eq!(read(&chain, &other_key).unwrap_err(), IdentityError::Mismatch);
        assert_eq!(read(&format!("{other_chain}{chain}"), &key).unwrap_err(), IdentityError::Mismatch);
        assert!(!format!("{identity:?}").contains(key.lines().nth(1).unwrap()));
    }

    #[test]
    fn says_which_of_the_two_is_wrong() {
        let (chain, key) = issued();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let garbled = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let no_base64 = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for chain in ["", "text", &key, no_base64, no_der] {
            assert!(matches!(read(chain, &key), Err(IdentityError::Certificate(_))), "{chain}");
        }
        for key in ["", "text", &chain, &encrypted, garbled, no_base64] {
            assert!(matches!(read(&chain, key), Err(IdentityError::Key(_))), "{key}");
        }
        assert!(read(&chain, &encrypted).unwrap_err().to_string().contains("not encrypted"));
    }
}
