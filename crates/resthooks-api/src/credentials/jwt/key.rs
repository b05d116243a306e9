//! A key that tokens are verified with.
//!
//! The key says which algorithms it is for, by its type and by what was said when it was given; a token's header never
//! does. That alone keeps a public key from being used as the secret of an HMAC.

use std::fmt;

use ring::hmac;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

use super::algorithm::Algorithm;

/// The shortest RSA modulus, in bits: shorter ones are within reach of being broken.
pub(super) const MIN_RSA_BITS: usize = 2048;
/// The longest: verifying with a longer one takes too much time.
pub(super) const MAX_RSA_BITS: usize = 8192;
/// The shortest secret, in bytes (RFC 7518, section 3.2): as long as the hash of the weakest algorithm.
pub(super) const MIN_SECRET_BYTES: usize = 32;

/// What a key is made of. `Debug` hides it.
#[derive(Clone)]
pub(super) enum Material {
    /// The secret of an HMAC.
    Secret(Vec<u8>),
    /// An RSA public key: modulus and exponent, big-endian, without zeros in front.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// A point on P-256, uncompressed.
    P256(Vec<u8>),
    /// A point on P-384, uncompressed.
    P384(Vec<u8>),
    /// An Ed25519 public key.
    Ed25519(Vec<u8>),
}

/// One key.
#[derive(Clone)]
pub(super) struct Key {
    /// Its name; without one it may be any that a token names.
    pub id: Option<String>,
    /// The one algorithm that it is for, when that was said.
    pub only: Option<Algorithm>,
    /// The key.
    pub material: Material,
}

impl Key {
    /// Whether it is for this algorithm.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Hs256, Hs384, Hs512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let fits = match (&self.material, algorithm) {
            // A secret shorter than the hash weakens it.
            (Material::Secret(secret), Hs256) => secret.len() >= MIN_SECRET_BYTES,
            (Material::Secret(secret), Hs384) => secret.len() >= 48,
            (Material::Secret(secret), Hs512) => secret.len() >= 64,
            (Material::Rsa(_), Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512)
            | (Material::P256(_), Es256)
            | (Material::P384(_), Es384)
            | (Material::Ed25519(_), EdDsa) => true,
            _ => false,
        };
        fits && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether this is what the key signs by this algorithm. Never, when it is not for that.
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        let by = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(signed, signature).is_ok()
        };
        match &self.material {
            Material::Secret(secret) => hash(algorithm)
                .is_some_and(|hash| hmac::verify(&hmac::Key::new(hash, secret), signed, signature).is_ok()),
            Material::Rsa(key) => {
                padding(algorithm).is_some_and(|by| key.verify(by, signed, signature).is_ok())
            }
            Material::P256(point) => by(&signature::ECDSA_P256_SHA256_FIXED, point),
            Material::P384(point) => by(&signature::ECDSA_P384_SHA384_FIXED, point),
            Material::Ed25519(key) => by(&signature::ED25519, key),
        }
    }
}

fn hash(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn padding(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.material {
            Material::Secret(_) => "secret",
            Material::Rsa(_) => "RSA",
            Material::P256(_) => "P-256",
            Material::P384(_) => "P-384",
            Material::Ed25519(_) => "Ed25519",
        };
        f.debug_struct("Key").field("id", &self.id).field("kind", &kind).field("only", &self.only).finish()
    }
}

/// Judges an RSA key and brings it into form.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Material, &'static str> {
    let bare = |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().skip_while(|byte| *byte == 0).collect() };
    let (n, e) = (bare(modulus), bare(exponent));
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if bits < MIN_RSA_BITS {
        return Err("is an RSA key of less than 2048 bits");
    }
    if bits > MAX_RSA_BITS {
        return Err("is an RSA key of more than 8192 bits");
    }
    if e.is_empty() || e.len() > 4 || e.last().is_some_and(|last| last % 2 == 0) || e == [1] {
        return Err("has an RSA exponent that can't be used");
    }
    Ok(Material::Rsa(RsaPublicKeyComponents { n, e }))
}

/// Judges the secret of an HMAC.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn secret(bytes: Vec<u8>) -> Result<Material, &'static str> {
    if bytes.len() < MIN_SECRET_BYTES {
        return Err("must be at least 32 bytes long");
    }
    Ok(Material::Secret(bytes))
}
