//! Names that providers choose: accounts and event types, and the patterns that subscriptions match them with.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invalid;

/// Checks the alphabet that accounts and producers' event ids share.
pub(super) fn check_identifier(text: &str, max: usize) -> Result<(), Invalid> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:@-".contains(&b);
    if text.is_empty() || text.len() > max || !text.bytes().all(allowed) {
        return Err(Invalid(format!("must be 1 to {max} characters of A-Z a-z 0-9 . _ : @ -")));
    }
    Ok(())
}

macro_rules! shared_text {
    ($name:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Whose subscriptions and events: an identifier that the provider chooses, such as its own user or tenant id.
/// 1 to 128 characters of `A-Z a-z 0-9 . _ : @ -`. It need not be created first. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// The longest identifier, in bytes.
    pub const MAX_LEN: usize = 128;
}

impl FromStr for AccountId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_identifier(text, Self::MAX_LEN)?;
        Ok(Self(text.into()))
    }
}

shared_text!(AccountId);

/// The name of an event type, `noun.verb`: two or more dot-separated segments of `[a-zA-Z0-9_]`, at most 128
/// characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName(Arc<str>);

impl EventName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 128;
}

fn is_segment(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl FromStr for EventName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > Self::MAX_LEN || !text.contains('.') || !text.split('.').all(is_segment) {
            return Err(Invalid::new(
                "must be two or more dot-separated segments of [a-zA-Z0-9_], at most 128 characters, such as contact.create",
            ));
        }
        Ok(Self(text.into()))
    }
}

shared_text!(EventName);

/// Which event types a subscription wants: a name, everything below a prefix (`contact.*`), or everything (`*`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventPattern(Arc<str>);

impl EventPattern {
    /// Whether it names one event type and no more.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.ends_with('*')
    }

    /// For `contact.*` its prefix with the dot, `contact.`; for `*` the empty one; for a name none.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }

    /// Whether events of this type are wanted. `contact.*` wants `contact.create` and `contact.address.create`.
    #[must_use]
    pub fn matches(&self, name: &EventName) -> bool {
        match self.prefix() {
            Some(prefix) => name.as_str().starts_with(prefix),
            None => *self.0 == *name.as_str(),
        }
    }
}

impl FromStr for EventPattern {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wildcard = text == "*"
            || text.strip_suffix(".*").is_some_and(|p| p.len() <= 126 && p.split('.').all(is_segment));
        if !wildcard && text.parse::<EventName>().is_err() {
            return Err(Invalid::new(
                "must be an event name such as contact.create, a prefix such as contact.*, or *",
            ));
        }
        Ok(Self(text.into()))
    }
}

shared_text!(EventPattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_names_are_noun_dot_verb() {
        for good in ["contact.create", "a.b.c", "A_1.b"] {
            assert!(good.parse::<EventName>().is_ok(), "{good}");
        }
        let long = format!("a.{}", "b".repeat(127));
        for bad in ["", "contact", ".create", "contact.", "a..b", "a.b-c", "a.*", "*", "é.b", long.as_str()]
        {
            assert!(bad.parse::<EventName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns_match_names_below_them() {
        let name: EventName = "contact.address.create".parse().unwrap();
        for (pattern, wanted) in [
            ("*", true),
            ("contact.*", true),
            ("contact.address.*", true),
            ("contact.address.create", true),
            ("contact.add.*", false),
            ("contact.address", false),
            ("deal.*", false),
        ] {
            assert_eq!(pattern.parse::<EventPattern>().unwrap().matches(&name), wanted, "{pattern}");
        }
        for bad in ["", "**", "contact*", ".*", "*.create", "a.*.b"] {
            assert!(bad.parse::<EventPattern>().is_err(), "{bad}");
        }
    }
}
