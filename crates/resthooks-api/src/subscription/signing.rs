//! How hooks are to be signed: what `secret` and `signature` say together.

use resthooks::model::{Invalid, Secret, Signature, SigningKey};
use resthooks::{FieldError, SignatureChoice};
use serde::de::{Deserialize, Deserializer};

use super::input::Input;
use crate::body::Text;

/// `secret`: a secret for HMAC, or a private key for Ed25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// `whsec_…`
    Shared(Secret),
    /// `whsk_…`
    Private(SigningKey),
}

impl std::str::FromStr for Key {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.starts_with(SigningKey::PREFIX) {
            return text.parse().map(Self::Private);
        }
        if text.starts_with("whsec_") {
            return text.parse().map(Self::Shared);
        }
        Err(Invalid::new(
            "must be whsec_ followed by base64 of 24 to 64 bytes, or whsk_ followed by base64 of an Ed25519 key",
        ))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(|Text(key)| key)
    }
}

/// `signature`: a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scheme(pub Signature);

impl<'de> Deserialize<'de> for Scheme {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(|Text(scheme)| Self(scheme))
    }
}

impl Input {
    /// The secret and the scheme that are asked for. A private key asks for its scheme by itself.
    pub(super) fn signing(&self, errors: &mut Vec<FieldError>) -> (Option<Secret>, Option<SignatureChoice>) {
        let scheme = self.signature.as_value().map(|Scheme(scheme)| *scheme);
        let choice = |scheme| match scheme {
            Signature::V1 => SignatureChoice::V1,
            Signature::V1a => SignatureChoice::V1a(None),
        };
        match self.secret.as_value() {
            None => (None, scheme.map(choice)),
            Some(Key::Shared(secret)) => (Some(secret.clone()), scheme.map(choice)),
            Some(Key::Private(key)) => {
                if scheme == Some(Signature::V1) {
                    errors
                        .push(FieldError::new("signature", "must be v1a, or left out, with a whsk_ secret"));
                }
                (None, Some(SignatureChoice::V1a(Some(key.clone()))))
            }
        }
    }
}
