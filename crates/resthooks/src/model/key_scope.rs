//! What an API key is asked to admit to, in the words of the API and the commands.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Access, ApiKey, Invalid, KeyRole};

/// One word of a key's `scopes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// Everything, for any account.
    Provider,
    /// One account's own things.
    Consumer,
    /// Posting events, and nothing else.
    Emit,
    /// Reading all but secrets, and nothing else.
    Read,
}

impl KeyScope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Provider, Self::Consumer, Self::Emit, Self::Read];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Consumer => "consumer",
            Self::Emit => "emit",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyScope {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| Invalid::new("must be provider, consumer, emit or read"))
    }
}

impl Serialize for KeyScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl ApiKey {
    /// What it admits to, in words.
    #[must_use]
    pub fn scopes(&self) -> Vec<KeyScope> {
        match (self.access, &self.role) {
            (Access::Full, KeyRole::Provider) => vec![KeyScope::Provider],
            (Access::Full, KeyRole::Consumer(_)) => vec![KeyScope::Consumer],
            (Access::Limited { emit, read }, _) => {
                let limited = [(emit, KeyScope::Emit), (read, KeyScope::Read)];
                limited.into_iter().filter(|(admits, _)| *admits).map(|(_, scope)| scope).collect()
            }
        }
    }

    /// Whether it has ended by itself at this time.
    #[must_use]
    pub fn is_expired(&self, now: super::Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}
