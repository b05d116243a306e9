//! Ed25519 keys (RFC 8032), as Standard Webhooks 1.0 writes them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invalid;

/// A private key with its public one: `whsk_` and base64 of the 32 bytes of the seed, or of 64 with the public key behind it.
/// `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    seed: [u8; Self::LEN],
    public: [u8; Self::LEN],
}

impl SigningKey {
    /// What a private key begins with.
    pub const PREFIX: &'static str = "whsk_";
    /// What a public key begins with.
    pub const PUBLIC_PREFIX: &'static str = "whpk_";
    /// Bytes in a seed, and in a public key.
    pub const LEN: usize = 32;

    /// The key with this seed.
    #[must_use]
    pub fn from_seed(seed: [u8; Self::LEN]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed");
        let mut public = [0; Self::LEN];
        public.copy_from_slice(pair.public_key().as_ref());
        Self { seed, public }
    }

    /// The private key's text.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}{}", Self::PREFIX, STANDARD.encode(self.seed))
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> &[u8; Self::LEN] {
        &self.seed
    }

    /// The public key's text, for receivers.
    #[must_use]
    pub fn public(&self) -> String {
        format!("{}{}", Self::PUBLIC_PREFIX, STANDARD.encode(self.public))
    }

    /// The public key's bytes.
    #[must_use]
    pub const fn public_bytes(&self) -> &[u8; Self::LEN] {
        &self.public
    }
}

impl FromStr for SigningKey {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong =
            || Invalid::new("must be whsk_ followed by base64 of 32 bytes, or of 64 with the public key");
        let bytes =
            text.strip_prefix(Self::PREFIX).and_then(|rest| STANDARD.decode(rest).ok()).ok_or_else(wrong)?;
        let (seed, public) = bytes.split_first_chunk::<{ Self::LEN }>().ok_or_else(wrong)?;
        let key = Self::from_seed(*seed);
        match public {
            [] => Ok(key),
            given if given == key.public => Ok(key),
            given if given.len() == Self::LEN => {
                Err(Invalid::new("its public half does not belong to its private one"))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl Serialize for SigningKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.expose())
    }
}

impl<'de> Deserialize<'de> for SigningKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, §7.1, test 1.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn the_vector_of_the_rfc() {
        let key: SigningKey = format!("whsk_{SEED}").parse().unwrap();
        assert_eq!(key.public(), format!("whpk_{PUBLIC}"));
        assert_eq!(key.expose().parse::<SigningKey>().unwrap(), key);
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
        let both = [key.seed().as_slice(), key.public_bytes()].concat();
        assert_eq!(format!("whsk_{}", STANDARD.encode(both)).parse::<SigningKey>().unwrap(), key);
    }

    #[test]
    fn refuses_other_forms() {
        let of = |bytes: &[u8]| format!("whsk_{}", STANDARD.encode(bytes));
        for bad in [
            "",
            "whsk_",
            &of(&[1; 31]),
            &of(&[1; 33]),
            &of(&[1; 64]),
            &of(&[1; 65]),
            &format!("whsec_{SEED}"),
        ] {
            assert!(bad.parse::<SigningKey>().is_err(), "{bad}");
        }
    }
}
