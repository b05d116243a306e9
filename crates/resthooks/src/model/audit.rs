//! The audit trail: who changed what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AccountId, AuditId, Invalid, Timestamp, Uid};

/// Who did something: a kind and, after a colon, which one, such as `key:key_01…`, `jwt:tenant-7`, `system`. Never a
/// credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// The longest one, in bytes; a longer one is cut.
    pub const MAX_LEN: usize = 256;

    /// One of this kind. Which one may be others' words: what a terminal could stumble over is left out.
    #[must_use]
    pub fn new(kind: &str, which: &dyn fmt::Display) -> Self {
        let mut text = format!("{kind}:{which}");
        text.retain(|c| !c.is_control());
        let end = (0..=Self::MAX_LEN).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0).min(text.len()));
        Self(text)
    }

    /// The application that embeds the engine.
    #[must_use]
    pub fn application() -> Self {
        Self("application".to_owned())
    }

    /// The engine itself: a 410, a subscription that fails for too long, one that was never confirmed.
    #[must_use]
    pub fn system() -> Self {
        Self("system".to_owned())
    }

    /// A command of the operator's.
    #[must_use]
    pub fn command(name: &str) -> Self {
        Self::new("command", &name)
    }

    /// One that was written before.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Actor {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text.len() > Self::MAX_LEN || text.chars().any(char::is_control) {
            return Err(Invalid::new("must be an actor, such as system or key:key_…"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditAction {
            $($(#[$doc])* $name,)+
        }

        impl AuditAction {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word used in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

actions! {
    /// A subscription was created.
    SubscriptionCreated = "subscription.created",
    /// A subscription's settings were changed.
    SubscriptionUpdated = "subscription.updated",
    /// A subscription's receiver confirmed its intent.
    SubscriptionActivated = "subscription.activated",
    /// A subscription's secret was rotated or replaced.
    SubscriptionSecretRotated = "subscription.secret_rotated",
    /// A subscription was disabled by us.
    SubscriptionDisabled = "subscription.disabled",
    /// A subscription ended because its target said 410.
    SubscriptionGone = "subscription.gone",
    /// A subscription was deleted.
    SubscriptionDeleted = "subscription.deleted",
    /// An event type was registered.
    EventTypeCreated = "event_type.created",
    /// An event type was replaced.
    EventTypeUpdated = "event_type.updated",
    /// An event type was deleted.
    EventTypeDeleted = "event_type.deleted",
    /// An API key was made.
    ApiKeyCreated = "api_key.created",
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked",
    /// An account's settings were changed.
    AccountUpdated = "account.updated",
    /// An account was deleted with all that is its.
    AccountDeleted = "account.deleted",
}

impl FromStr for AuditAction {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == text)
            .ok_or_else(|| Invalid::new("must be an action, such as subscription.created"))
    }
}

impl Serialize for AuditAction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AuditAction {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One line of the trail: written with the change that it tells of, in one transaction, and never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its id, ordered by time.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What was done …
    pub action: AuditAction,
    /// … to what: a public id or a name.
    pub object: String,
    /// Whose it is; `None` for what is the provider's.
    pub account: Option<AccountId>,
    /// The names of the settings that were changed, never their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// Why, in words, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl AuditEntry {
    /// What happened then; the random bits tell its id from others of the same moment.
    #[must_use]
    pub fn new(
        at: Timestamp,
        random: u128,
        actor: Actor,
        action: AuditAction,
        object: &dyn fmt::Display,
        account: Option<AccountId>,
    ) -> Self {
        let (id, object) = (AuditId(Uid::new(at, random)), object.to_string());
        Self { id, at, actor, action, object, account, changed: Vec::new(), reason: None }
    }

    /// With the names of the settings that were changed.
    #[must_use]
    pub fn changing(self, names: &[&str]) -> Self {
        Self { changed: names.iter().map(|name| (*name).to_owned()).collect(), ..self }
    }

    /// With why.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_are_bounded_and_actions_come_back() {
        assert_eq!(Actor::new("jwt", &"é".repeat(1000)).as_str().len(), Actor::MAX_LEN);
        assert_eq!(Actor::new("jwt", &"a\u{1b}[31m\0b\n").as_str(), "jwt:a[31mb");
        assert_eq!("system".parse(), Ok(Actor::system()));
        for bad in ["", "a\0", &"x".repeat(257)] {
            assert!(bad.parse::<Actor>().is_err());
        }
        for action in AuditAction::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
        assert!("subscription.eaten".parse::<AuditAction>().is_err());
    }
}
