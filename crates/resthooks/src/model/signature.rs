//! How hooks are signed.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The schemes of Standard Webhooks 1.0 that a subscription may choose. `X-Hook-Signature` is there with either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// HMAC-SHA256 with a secret that both sides have.
    #[default]
    V1,
    /// The same, and Ed25519 beside it: whoever has the public key can verify, and nobody but us can sign.
    V1a,
}

impl Signature {
    /// The word used in JSON, and in front of a signature.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1a => "v1a",
        }
    }
}

impl FromStr for Signature {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "v1" => Ok(Self::V1),
            "v1a" => Ok(Self::V1a),
            _ => Err(Invalid::new("must be v1 or v1a")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for scheme in [Signature::V1, Signature::V1a] {
            assert_eq!(scheme.as_str().parse(), Ok(scheme));
            assert_eq!(serde_json::to_value(scheme).unwrap(), scheme.as_str());
        }
        assert!("v2".parse::<Signature>().is_err());
    }
}
