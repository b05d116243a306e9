//! Sealing and opening.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::SecretKey;
use crate::env::{Random, SystemRandom};

/// What sealed texts of this form begin with.
const FORM: &str = "v1";
/// Bytes of a nonce: enough that random ones never meet.
const NONCE_LEN: usize = 24;

/// Seals with XChaCha20-Poly1305 under its first key, and opens what any of its keys has sealed. `Debug` shows no key.
#[derive(Clone)]
pub struct Vault {
    keys: Vec<(String, XChaCha20Poly1305)>,
    random: Arc<dyn Random>,
}

/// Why a sealed text can't be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed with a key that is not here.
    #[error("sealed with the secret key {0}, which was not given")]
    UnknownKey(String),
    /// It is no sealed text, was changed, or belongs to something else.
    #[error("a sealed text is broken, or is not this thing's")]
    Broken,
}

impl Vault {
    /// A vault that seals with the first of these keys. At least one is needed.
    #[must_use]
    pub fn new(first: &SecretKey, others: &[SecretKey]) -> Self {
        let mut keys: Vec<(String, XChaCha20Poly1305)> = Vec::new();
        for key in std::iter::once(first).chain(others) {
            let id = key.id();
            if keys.iter().all(|(known, _)| *known != id) {
                keys.push((id, XChaCha20Poly1305::new(key.bytes().into())));
            }
        }
        Self { keys, random: Arc::new(SystemRandom) }
    }

    /// A vault with a key of its own that nobody else knows: for stores that do not outlive the process, and tests.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self::new(&SecretKey::random(&SystemRandom), &[])
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn sealing_id(&self) -> &str {
        self.keys.first().map_or("", |(id, _)| id)
    }

    /// The ids of all its keys, of the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(id, _)| id.as_str())
    }

    /// Whether it has the key with this id.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|(known, _)| known == id)
    }

    /// Seals: `v1.`, the key's id, `.`, and base64 of nonce and ciphertext. Opens again only with the same `of`: what it belongs to.
    #[must_use]
    pub fn seal(&self, of: &str, plain: &[u8]) -> String {
        let (id, cipher) = self.keys.first().expect("a vault has a key");
        let mut sealed = vec![0; NONCE_LEN];
        self.random.fill(&mut sealed);
        let nonce = XNonce::try_from(&sealed[..]).expect("it has this length");
        let payload = Payload { msg: plain, aad: of.as_bytes() };
        sealed.extend(cipher.encrypt(&nonce, payload).expect("memory takes all"));
        format!("{FORM}.{id}.{}", URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what [`Vault::seal`] made.
    ///
    /// # Errors
    /// When it was sealed with another key, was changed, or belongs to something else.
    pub fn open(&self, of: &str, sealed: &str) -> Result<Vec<u8>, SealError> {
        let id = key_id(sealed).ok_or(SealError::Broken)?;
        let (_, cipher) = self
            .keys
            .iter()
            .find(|(known, _)| known == id)
            .ok_or_else(|| SealError::UnknownKey(id.to_owned()))?;
        let bytes = sealed.rsplit('.').next().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let bytes = bytes.ok_or(SealError::Broken)?;
        let (nonce, ciphertext) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| SealError::Broken)?;
        let payload = Payload { msg: ciphertext, aad: of.as_bytes() };
        cipher.decrypt(&nonce, payload).map_err(|_| SealError::Broken)
    }

    /// Whether a text is sealed with the key that seals now.
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        key_id(sealed) == Some(self.sealing_id())
    }
}

/// The id of the key that sealed a text.
fn key_id(sealed: &str) -> Option<&str> {
    let mut parts = sealed.split('.');
    let (form, id, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    (form == FORM).then_some(id)
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SeededRandom;

    fn key(n: u64) -> SecretKey {
        SecretKey::random(&SeededRandom::new(n))
    }

    #[test]
    fn opens_what_it_sealed_for_the_same_thing_alone() {
        let vault = Vault::new(&key(1), &[]);
        let sealed = vault.seal("sub_a", b"secret");
        assert_eq!(vault.open("sub_a", &sealed).unwrap(), b"secret");
        assert_eq!(vault.open("sub_b", &sealed), Err(SealError::Broken));
        assert_ne!(sealed, vault.seal("sub_a", b"secret"), "a nonce is used once");
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 3;
        changed[last] ^= 1;
        assert_eq!(vault.open("sub_a", std::str::from_utf8(&changed).unwrap()), Err(SealError::Broken));
        for broken in ["", "v1", "v1..", "v2.x.y", &format!("{sealed}.x"), &sealed[..20]] {
            assert!(vault.open("sub_a", broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let former = Vault::new(&key(1), &[]);
        let sealed = former.seal("x", b"s");
        let both = Vault::new(&key(2), &[key(1), key(1)]);
        assert_eq!(both.open("x", &sealed).unwrap(), b"s");
        assert!(!both.is_current(&sealed) && both.is_current(&both.seal("x", b"s")));
        let after = Vault::new(&key(2), &[]);
        assert_eq!(after.open("x", &sealed), Err(SealError::UnknownKey(key(1).id())));
        assert!(both.has(&key(1).id()) && !after.has(&key(1).id()));
        assert_eq!(format!("{after:?}"), format!("[{:?}]", key(2).id()));
    }
}
