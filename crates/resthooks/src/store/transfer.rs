//! Moving everything from one store to another, of whatever kind.
//!
//! What moves speaks of public ids and never of a store's own numbers: those are given anew, in the same order. Each
//! [`Item`] stands alone but for what came before it, and one that is there already is left as it is, so that a move that
//! was cut can be begun again. Used by stopped servers' commands, never by the engine.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Error;
use crate::model::{
    Access, AccountId, AccountSettings, ApiKey, Attempt, AuditEntry, AuditId, DeliveryStatus, EventId,
    EventName, EventType, Health, Invalid, KeyHash, KeyId, KeyRole, Progress, SubscriptionId, Timestamp, Uid,
};

/// The moving part of a store.
#[async_trait]
pub trait Transfer: Send + Sync {
    /// What follows this cursor, at most `limit` items, fewer when they are large; none means that there are no more.
    /// Accounts that are being deleted are left out, with all that goes with them.
    async fn export(&self, after: &Cursor, limit: usize) -> Result<Vec<(Item, Cursor)>, Error>;

    /// Adds those of these that are not there, in their order, each whole or not at all; how many that were. What they
    /// speak of must be there or come before them.
    async fn import(&self, items: Vec<Item>) -> Result<usize, Error>;

    /// No more comes: what was added is delivered by the next server that runs on this store, or by one that does.
    async fn end_import(&self) -> Result<(), Error>;

    /// What a move away from this store would leave behind or miss just now, in words for its operator.
    async fn hindrances(&self) -> Result<Vec<String>, Error>;
}

/// Something that moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// An account.
    Account(MovedAccount),
    /// An event type.
    EventType(Box<EventType>),
    /// An API key.
    ApiKey(MovedKey),
    /// A subscription, also one that has ended.
    Subscription(Box<MovedSubscription>),
    /// An entry of the audit trail.
    Audit(Box<AuditEntry>),
    /// An event with its deliveries.
    Event(Box<MovedEvent>),
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedAccount {
    /// Its id.
    pub id: AccountId,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// Its settings.
    #[serde(default, skip_serializing_if = "AccountSettings::is_empty")]
    pub settings: AccountSettings,
}

/// An API key, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedKey {
    /// Its id.
    pub id: KeyId,
    /// Whose it is; the provider's when absent.
    pub account: Option<AccountId>,
    /// For humans.
    pub name: Option<String>,
    /// What it is looked up by, base64.
    pub hash: Base64,
    /// How much it may do, as a number; everything when absent.
    #[serde(default)]
    pub access: i16,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

impl From<ApiKey> for MovedKey {
    fn from(key: ApiKey) -> Self {
        let account = match key.role {
            KeyRole::Provider => None,
            KeyRole::Consumer(account) => Some(account),
        };
        let hash = Base64(key.hash.0.to_vec().into());
        let ApiKey { id, access, name, created_at, expires_at, last_used_at, .. } = key;
        Self { id, account, name, hash, access: access.code(), created_at, expires_at, last_used_at }
    }
}

impl TryFrom<MovedKey> for ApiKey {
    type Error = Invalid;

    fn try_from(key: MovedKey) -> Result<Self, Invalid> {
        let hash =
            key.hash.0.as_ref().try_into().map_err(|_| Invalid::new("a key's hash must have 32 bytes"))?;
        Ok(Self {
            id: key.id,
            role: key.account.map_or(KeyRole::Provider, KeyRole::Consumer),
            access: Access::from_code(key.access)
                .ok_or_else(|| Invalid::new("a key's access must be known"))?,
            name: key.name,
            hash: KeyHash(hash),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        })
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovedSubscription {
    /// Its document, with its secrets sealed as they are in the store that it comes from: whoever takes it in needs the key.
    /// In what earlier versions exported they are in clear.
    #[serde(rename = "subscription")]
    pub document: Value,
    /// How often it was changed.
    pub version: u64,
    /// Its counters; absent when it has none.
    pub progress: Option<MovedProgress>,
}

impl MovedSubscription {
    /// The subscription's id.
    ///
    /// # Errors
    /// When there is none in the document.
    pub fn id(&self) -> Result<SubscriptionId, Invalid> {
        let id = self.document.get("id").and_then(Value::as_str).unwrap_or_default();
        id.parse()
    }
}

/// A subscription's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedProgress {
    /// The last sequence number given.
    pub sequence: u64,
    /// The last success.
    pub last_success_at: Option<Timestamp>,
    /// The last failure.
    pub last_failure_at: Option<Timestamp>,
    /// Since when it fails.
    pub failing_since: Option<Timestamp>,
    /// Failures in a row.
    pub consecutive_failures: u64,
}

impl From<Progress> for MovedProgress {
    fn from(Progress { sequence, health }: Progress) -> Self {
        let Health { last_success_at, last_failure_at, failing_since, consecutive_failures } = health;
        Self { sequence, last_success_at, last_failure_at, failing_since, consecutive_failures }
    }
}

/// An event with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovedEvent {
    /// The unique part of its deliveries' ids, as an event's id.
    pub uid: EventId,
    /// Its public id.
    pub id: EventId,
    /// Whose it is.
    pub account: AccountId,
    /// Its type.
    pub event: EventName,
    /// When it happened.
    pub created_at: Timestamp,
    /// Its data, byte for byte.
    pub data: Text,
    /// Where the resource can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_url: Option<String>,
    /// Keeps order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// For debounced subscriptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounce_key: Option<String>,
    /// What a producer's id stands for, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Base64>,
    /// What it goes to, in the order of subscriptions.
    pub matched: Vec<MovedMatch>,
}

impl MovedEvent {
    /// The unique part.
    ///
    /// # Errors
    /// When there is none in `uid`.
    pub fn unique(&self) -> Result<Uid, Invalid> {
        self.uid.as_generated().ok_or_else(|| Invalid::new("an event's uid must be evt_ and 26 characters"))
    }
}

/// One subscription that an event matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovedMatch {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The delivery's place in that one's order.
    pub sequence: u64,
    /// The delivery, when it has a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<MovedDelivery>,
}

/// A delivery that has a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovedDelivery {
    /// Its state.
    pub status: DeliveryStatus,
    /// Why it is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Of these, by schedule.
    pub automatic: u32,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// When its row was last written.
    pub updated_at: Timestamp,
    /// What it is planned by, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_key: Option<Base64>,
    /// The batch that it is tried again with, if it is: the first sequence of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_group: Option<u64>,
    /// The attempt that was made before it had a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt: Option<Attempt>,
    /// The other attempts, each with its place in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later_attempts: Vec<(i64, Attempt)>,
}

/// Bytes, shown as base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base64(pub Bytes);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(|bytes| Self(bytes.into())).map_err(serde::de::Error::custom)
    }
}

/// Bytes, shown as a text where they are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub Bytes);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Shown {
    Text(String),
    Bytes { base64: Base64 },
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Shown::Bytes { base64: Base64(self.0.clone()) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Shown::deserialize(deserializer)? {
            Shown::Text(text) => Self(text.into()),
            Shown::Bytes { base64 } => Self(base64.0),
        })
    }
}

/// A place in a store's export, which that store can go on from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cursor {
    /// Before everything.
    #[default]
    Start,
    /// At this account.
    Account(AccountId),
    /// At this event type.
    EventType(EventName),
    /// At this key.
    ApiKey(KeyId),
    /// At the subscription with this number.
    Subscription(i64),
    /// At this entry of the audit trail.
    Audit(AuditId),
    /// At the event with this number.
    Event(i64),
}

/// The kinds of things, in the order in which they move: each speaks of those before it only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Accounts.
    Account,
    /// Event types.
    EventType,
    /// API keys.
    ApiKey,
    /// Subscriptions.
    Subscription,
    /// The audit trail.
    Audit,
    /// Events.
    Event,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Account, Self::EventType, Self::ApiKey, Self::Subscription, Self::Audit, Self::Event];
}

impl Cursor {
    /// What it is among; what comes first at the start.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Start | Self::Account(_) => Kind::Account,
            Self::EventType(_) => Kind::EventType,
            Self::ApiKey(_) => Kind::ApiKey,
            Self::Subscription(_) => Kind::Subscription,
            Self::Audit(_) => Kind::Audit,
            Self::Event(_) => Kind::Event,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Account(id) => write!(f, "account/{id}"),
            Self::EventType(name) => write!(f, "event-type/{name}"),
            Self::ApiKey(id) => write!(f, "api-key/{id}"),
            Self::Subscription(no) => write!(f, "subscription/{no}"),
            Self::Audit(id) => write!(f, "audit/{id}"),
            Self::Event(no) => write!(f, "event/{no}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("must be a cursor that an export of this store has printed");
        if text == "start" {
            return Ok(Self::Start);
        }
        let (kind, at) = text.split_once('/').ok_or_else(wrong)?;
        match kind {
            "account" => at.parse().map(Self::Account),
            "event-type" => at.parse().map(Self::EventType),
            "api-key" => at.parse().map(Self::ApiKey),
            "subscription" => at.parse().map(Self::Subscription).map_err(|_| wrong()),
            "audit" => at.parse().map(Self::Audit),
            "event" => at.parse().map(Self::Event).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_whatever_they_are() {
        for bytes in [&b"{\"a\":\n 1.0}"[..], b"", b"\xff\x00", "\"é\u{0}\"".as_bytes()] {
            let text = Text(Bytes::copy_from_slice(bytes));
            let line = serde_json::to_string(&text).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Text>(&line).unwrap(), text);
        }
    }

    #[test]
    fn cursors_come_back() {
        let audit = "audit/aud_01h00000000000000000000000";
        let event = "event/9223372036854775807";
        for text in ["start", "account/a/b", "event-type/a.b", "subscription/7", audit, event] {
            match text.parse::<Cursor>() {
                Ok(cursor) => assert_eq!(cursor.to_string(), text),
                Err(_) => assert_eq!(text, "account/a/b"),
            }
        }
        assert!("event/x".parse::<Cursor>().is_err() && "".parse::<Cursor>().is_err());
    }
}
