//! API keys, of which only hashes are kept.

use super::{AccountId, KeyId, Timestamp};

impl ApiKey {
    /// What every key that we make begins with, so that people and scanners recognise it.
    pub const PREFIX: &'static str = "rhk_";
}

/// SHA-256 of a key. Keys are random (256 bits), so that a plain hash can't be searched.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The hash under which a key is stored and looked up.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        Self(hash)
    }
}

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// What a key admits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRole {
    /// Everything, for any account.
    Provider,
    /// One account's own things.
    Consumer(AccountId),
}

impl KeyRole {
    /// The one account; `None` for all.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Provider => None,
            Self::Consumer(account) => Some(account),
        }
    }
}

/// How much of what its role could do a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// All of it.
    #[default]
    Full,
    /// A part.
    Limited {
        /// May post events.
        emit: bool,
        /// May read.
        read: bool,
    },
}

impl Access {
    /// The number under which stores keep it.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Full => 0,
            Self::Limited { emit, read } => 4 + emit as i16 + 2 * read as i16,
        }
    }

    /// The inverse of [`Access::code`].
    #[must_use]
    pub const fn from_code(code: i16) -> Option<Self> {
        match code {
            0 => Some(Self::Full),
            4..=7 => Some(Self::Limited { emit: code & 1 != 0, read: code & 2 != 0 }),
            _ => None,
        }
    }
}

/// An API key as it is stored: the key itself is shown once, when it is made, and only its hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public id.
    pub id: KeyId,
    /// What it admits to.
    pub role: KeyRole,
    /// How much of that.
    pub access: Access,
    /// For humans.
    pub name: Option<String>,
    /// What it is looked up by.
    pub hash: KeyHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<Timestamp>,
}
