//! Identifiers: a prefix and a time-ordered unique part, opaque to clients.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::{ULID_LEN, Ulid};

use super::name::check_identifier;
use super::{Invalid, Timestamp};

/// 128 bits: 48 of milliseconds since the epoch, then 80 random ones (the layout of a ULID), so that ids sort by
/// the time they were made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Ulid);

impl Uid {
    /// The unique part for something made at `at`; of `random`, the low 80 bits are used.
    #[must_use]
    pub fn new(at: Timestamp, random: u128) -> Self {
        Self(Ulid::from_parts(at.as_millis().unsigned_abs(), random))
    }

    /// When it was made.
    #[must_use]
    pub fn time(self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX))
    }

    /// All of it zero: for what there is one of at most.
    pub const ZERO: Self = Self(Ulid::nil());
    /// All of it ones: above every other.
    pub const LAST: Self = Self(Ulid(u128::MAX));

    /// The least of those made at this time or later.
    #[must_use]
    pub fn first_of(at: Timestamp) -> Self {
        let most = (1 << 48) - 1;
        Self(Ulid::from_parts(u64::try_from(at.as_millis()).unwrap_or(0).min(most), 0))
    }

    /// The 16 bytes, big-endian: they sort as the ids do.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// The inverse of [`Uid::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Ulid::from_bytes(bytes))
    }

    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; ULID_LEN];
        let text = self.0.array_to_str(&mut buffer);
        text.make_ascii_lowercase();
        f.write_str(text)
    }

    /// Reads exactly the form that is written: 26 lower-case characters, so that an id has one spelling.
    fn parse(text: &str) -> Option<Self> {
        if text.len() != ULID_LEN || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        let uid = Self(Ulid::from_string(text).ok()?);
        let mut buffer = [0; ULID_LEN];
        uid.0.array_to_str(&mut buffer).eq_ignore_ascii_case(text).then_some(uid)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
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

macro_rules! uid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                self.0.write(f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                text.strip_prefix($prefix)
                    .and_then(Uid::parse)
                    .map(Self)
                    .ok_or_else(|| Invalid::new(concat!("must be an id that starts with ", $prefix)))
            }
        }

        text_form!($name);
    };
}

uid_id!(
    /// A subscription's id: `sub_…`.
    SubscriptionId,
    "sub_"
);
uid_id!(
    /// An API key's id (not the key itself): `key_…`.
    KeyId,
    "key_"
);
uid_id!(
    /// The id of an entry of the audit trail: `aud_…`.
    AuditId,
    "aud_"
);

/// A delivery's id, `dlv_…`: computed from its event and its subscription, so that whoever sends it, and however
/// often, it carries the same `webhook-id`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// The event that is delivered.
    pub event: Uid,
    /// The subscription that it is delivered to.
    pub subscription: SubscriptionId,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dlv_")?;
        self.event.write(f)?;
        self.subscription.0.write(f)
    }
}

impl FromStr for DeliveryId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("must be an id that starts with dlv_");
        let rest = text.strip_prefix("dlv_").ok_or_else(wrong)?;
        let (event, subscription) = rest.split_at_checked(ULID_LEN).ok_or_else(wrong)?;
        let event = Uid::parse(event).ok_or_else(wrong)?;
        let subscription = SubscriptionId(Uid::parse(subscription).ok_or_else(wrong)?);
        Ok(Self { event, subscription })
    }
}

text_form!(DeliveryId);

/// An event's public id, unique within its account: the one its producer gave, else `evt_…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Arc<str>);

impl EventId {
    /// The longest id that a producer may give, in bytes.
    pub const MAX_LEN: usize = 128;

    /// The id of an event whose producer gave none.
    #[must_use]
    pub fn generated(uid: Uid) -> Self {
        Self(format!("evt_{uid}").into())
    }

    /// The unique part, when the id has the form of a generated one.
    #[must_use]
    pub fn as_generated(&self) -> Option<Uid> {
        self.0.strip_prefix("evt_").and_then(Uid::parse)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_identifier(text, Self::MAX_LEN)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_form!(EventId);

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(n: u128) -> Uid {
        Uid::new(Timestamp::from_millis(1_700_000_000_000), n)
    }

    #[test]
    fn ids_have_one_spelling() {
        let id = SubscriptionId(uid(7));
        let text = id.to_string();
        assert_eq!(text.parse::<SubscriptionId>().unwrap(), id);
        assert!(text.to_uppercase().parse::<SubscriptionId>().is_err());
        assert!(text.replace("sub_", "key_").parse::<SubscriptionId>().is_err());
        assert!(format!("{text}0").parse::<SubscriptionId>().is_err());
        assert!("sub_".parse::<SubscriptionId>().is_err());
        assert!(format!("sub_8{}", "0".repeat(25)).parse::<SubscriptionId>().is_err());
    }

    #[test]
    fn ids_sort_by_time() {
        let early = Uid::new(Timestamp::from_millis(1), u128::MAX);
        let late = Uid::new(Timestamp::from_millis(2), 0);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn a_delivery_id_is_its_event_and_subscription() {
        let id = DeliveryId { event: uid(1), subscription: SubscriptionId(uid(2)) };
        assert_eq!(id.to_string().parse::<DeliveryId>().unwrap(), id);
        assert!("dlv_ééééééééééééééééééééééééééé".parse::<DeliveryId>().is_err());
    }

    #[test]
    fn event_ids_may_be_the_producers_own() {
        assert_eq!("order-1:a@b".parse::<EventId>().unwrap().as_str(), "order-1:a@b");
        assert_eq!(EventId::generated(uid(3)).as_generated(), Some(uid(3)));
        for bad in ["", "a b", "a/b", "é", &"x".repeat(129)] {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
    }
}
