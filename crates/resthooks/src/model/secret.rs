//! Signing secrets, as receivers are shown them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invalid;

/// A subscription's signing secret: `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks 1.0). `Debug` hides
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    key: Vec<u8>,
}

impl Secret {
    const PREFIX: &'static str = "whsec_";
    /// Bytes in a secret that we make.
    pub const GENERATED_LEN: usize = 32;

    /// A secret over these random bytes.
    #[must_use]
    pub fn from_key(key: [u8; Self::GENERATED_LEN]) -> Self {
        Self { text: format!("{}{}", Self::PREFIX, STANDARD.encode(key)), key: key.to_vec() }
    }

    /// The whole text, prefix included: the key of `X-Hook-Signature`.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The decoded bytes: the key of `webhook-signature`.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl FromStr for Secret {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.strip_prefix(Self::PREFIX)
            .and_then(|rest| STANDARD.decode(rest).ok())
            .filter(|key| (24..=64).contains(&key.len()))
            .map(|key| Self { text: text.to_owned(), key })
            .ok_or_else(|| Invalid::new("must be whsec_ followed by base64 of 24 to 64 bytes"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_standard_webhooks_does() {
        let secret: Secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".parse().unwrap();
        assert_eq!(secret.key().len(), 24);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let made = Secret::from_key([7; 32]);
        assert_eq!(made.expose().parse::<Secret>().unwrap(), made);
    }

    #[test]
    fn refuses_other_prefixes_lengths_and_alphabets() {
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        let long = format!("whsec_{}", STANDARD.encode([1; 65]));
        for bad in ["", "whsec_", "secret", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_%%%%", &short, &long] {
            assert!(bad.parse::<Secret>().is_err(), "{bad}");
        }
    }
}
