//! Intent: whether a target's owner wants hooks, and how that was found out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Attempt, Invalid, Timestamp};

/// How a receiver confirms that it wants hooks, before it gets any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// It need not: a subscription is active at once.
    #[default]
    None,
    /// It echoes a secret that it is sent, or brings that back later (`X-Hook-Secret`, REST Hooks).
    Echo,
    /// It answers a `GET` with the challenge in it (after W3C WebSub §5.3).
    Challenge,
    /// It grants the sender's origin in answer to `OPTIONS` (CloudEvents HTTP webhook 1.0.2, §4).
    Options,
}

impl Intent {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Echo, Self::Challenge, Self::Options];

    /// The word used in JSON and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Echo => "echo",
            Self::Challenge => "challenge",
            Self::Options => "options",
        }
    }
}

impl FromStr for Intent {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|intent| intent.as_str() == text)
            .ok_or_else(|| Invalid::new("must be one of none, echo, challenge, options"))
    }
}

/// The secret of one handshake: random, for this purpose alone. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HandshakeSecret(String);

impl HandshakeSecret {
    /// Takes a text as it is: at least 128 random bits, visible ASCII.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether these are its bytes; how long that takes tells nothing of it but its length. One that has served, and is
    /// empty, is nobody's.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        use subtle::ConstantTimeEq as _;
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(given))
    }
}

impl fmt::Debug for HandshakeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandshakeSecret(…)")
    }
}

/// A confirmation: under way while its subscription is pending; after that, how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    /// What the receiver is sent, and has to prove that it got. Empty once it has served.
    pub secret: HandshakeSecret,
    /// When this round began.
    pub begun_at: Timestamp,
    /// When the subscription is removed unless it is confirmed.
    pub expires_at: Timestamp,
    /// When it is tried next; also how a node claims an attempt: others leave it alone until then. `None` when no
    /// more attempts are made by themselves.
    pub next_attempt_at: Option<Timestamp>,
    /// Attempts made in this round.
    pub attempts: u32,
    /// The last of them, in their order.
    #[serde(default)]
    pub last: Vec<Attempt>,
    /// The receiver took the secret without echoing it: it is to bring it back.
    #[serde(default)]
    pub awaiting: bool,
    /// Its owner has paused the subscription meanwhile: it is paused once it is confirmed.
    #[serde(default)]
    pub then_paused: bool,
    /// When its owner last had the target asked anew, if this round was begun by that.
    #[serde(default)]
    pub asked_anew_at: Option<Timestamp>,
}

/// What a target granted under [`Intent::Options`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The most requests a minute; any number when absent.
    #[serde(default)]
    pub per_minute: Option<u32>,
    /// When it was last granted.
    pub granted_at: Timestamp,
    /// When it is asked for again; also how a node claims that.
    pub renew_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshakes_secret_is_itself_alone_and_hidden() {
        let secret = HandshakeSecret::new("s3cret".to_owned());
        assert!(secret.is(b"s3cret") && !secret.is(b"s3creT") && !secret.is(b"s3cre") && !secret.is(b""));
        assert!(!HandshakeSecret::new(String::new()).is(b""));
        assert_eq!(format!("{secret:?}"), "HandshakeSecret(…)");
    }

    #[test]
    fn words_come_back() {
        for intent in Intent::ALL {
            assert_eq!(intent.as_str().parse(), Ok(intent));
            assert_eq!(serde_json::to_value(intent).unwrap(), intent.as_str());
        }
        assert!("Echo".parse::<Intent>().is_err());
    }
}
