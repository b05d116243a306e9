//! The keys that secrets are sealed with.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::env::Random;
use crate::model::Invalid;

/// 32 bytes that seal secrets: 64 hex digits, or base64 in either alphabet, with or without `rhsk_` in front. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; Self::LEN]);

impl SecretKey {
    /// What a key that we make begins with, so that people and scanners recognise it.
    pub const PREFIX: &'static str = "rhsk_";
    /// Bytes in a key.
    pub const LEN: usize = 32;

    /// A new one.
    #[must_use]
    pub fn random(random: &dyn Random) -> Self {
        let mut bytes = [0; Self::LEN];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(self.0))
    }

    /// What it is called, in sealed texts and in messages: tells nothing of it.
    #[must_use]
    pub fn id(&self) -> String {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(b"resthooks secret key id");
        context.update(&self.0);
        context.finish().as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) const fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl FromStr for SecretKey {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bare = text.strip_prefix(Self::PREFIX).unwrap_or(text);
        let bytes = if bare.len() == 2 * Self::LEN { hex(bare) } else { None };
        let bytes = bytes.or_else(|| {
            let plain = bare.trim_end_matches('=').replace('+', "-").replace('/', "_");
            URL_SAFE_NO_PAD.decode(plain).or_else(|_| STANDARD.decode(bare)).ok()
        });
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| Invalid::new("must be 32 bytes as 64 hex digits or as base64"))
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SeededRandom;

    #[test]
    fn reads_what_operators_generate() {
        let key = SecretKey::random(&SeededRandom::new(1));
        let hex: String = key.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [
            key.expose(),
            hex.clone(),
            hex.to_uppercase(),
            STANDARD.encode(key.bytes()),
            URL_SAFE_NO_PAD.encode(key.bytes()),
        ] {
            assert_eq!(text.parse(), Ok(key.clone()), "{text}");
        }
        for bad in ["", "short", &hex[1..], &format!("{hex}00"), "rhsk_", &"!".repeat(43)] {
            assert!(bad.parse::<SecretKey>().is_err(), "{bad}");
        }
        assert!(!format!("{key:?}").contains(&key.expose()[5..]));
    }
}
