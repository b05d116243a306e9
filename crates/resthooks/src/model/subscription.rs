//! Subscriptions: what to deliver where, and for whom.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    AccountId, EventName, EventPattern, Grant, Handshake, Intent, Invalid, RateLimit, Secret, Signature,
    SigningKey, SubscriptionId, TargetUrl, Terms, Timestamp,
};

/// A subscription's internal number, given by the store when it is created, ascending. Internal: it would tell one
/// account how many subscriptions the others have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SubscriptionNo(pub i64);

/// Whether a subscription gets its hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// The receiver's intent is not confirmed yet: it matches nothing.
    Pending,
    /// Hooks are sent.
    Active,
    /// Paused by its owner: deliveries are held.
    Paused,
    /// Disabled by us, see the reason: deliveries are held.
    Disabled,
    /// The target said 410: it matches nothing any more.
    Gone,
    /// Deleted by its owner; kept so that past deliveries can be read and a repeated delete is answered alike.
    Deleted,
}

impl SubscriptionStatus {
    /// Every status that callers see.
    pub const SHOWN: [Self; 5] = [Self::Pending, Self::Active, Self::Paused, Self::Disabled, Self::Gone];

    /// The word used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
            Self::Gone => "gone",
            Self::Deleted => "deleted",
        }
    }

    /// Whether events are matched to it: they are sent when it is active, else held.
    #[must_use]
    pub const fn matches_events(self) -> bool {
        matches!(self, Self::Active | Self::Paused | Self::Disabled)
    }

    /// Whether it has ended for good.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Gone | Self::Deleted)
    }
}

impl FromStr for SubscriptionStatus {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::SHOWN
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Invalid::new("must be one of pending, active, paused, disabled, gone"))
    }
}

/// How the body that a target receives is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadKind {
    /// The event with its data, and the hook resource.
    #[default]
    Full,
    /// The same with the resource's id and URL instead of its representation.
    Skinny,
    /// The data alone.
    Raw,
}

impl FromStr for PayloadKind {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "full" => Ok(Self::Full),
            "skinny" => Ok(Self::Skinny),
            "raw" => Ok(Self::Raw),
            _ => Err(Invalid::new("must be one of full, skinny, raw")),
        }
    }
}

/// The secret before the last rotation, which goes on signing for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousSecret {
    /// The secret.
    pub secret: Secret,
    /// The Ed25519 key of that time, if there was one.
    #[serde(default)]
    pub signing_key: Option<SigningKey>,
    /// Until when it signs beside the new one.
    pub signs_until: Timestamp,
}

/// A subscription as it is stored. What changes with every delivery is kept apart, in [`Progress`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its internal number; 0 until the store has given one.
    #[serde(skip)]
    pub no: SubscriptionNo,
    /// How often it was changed: a change made from an older version is refused by the store.
    #[serde(skip)]
    pub version: u64,
    /// Its public id.
    pub id: SubscriptionId,
    /// Whose it is.
    pub account: AccountId,
    /// What it wants: at least one pattern, each once.
    pub events: Vec<EventPattern>,
    /// Where its hooks go.
    pub target_url: TargetUrl,
    /// Whether it gets them.
    pub status: SubscriptionStatus,
    /// Why it stands so, in words; for disabled and gone ones.
    #[serde(default)]
    pub status_reason: Option<String>,
    /// For humans.
    #[serde(default)]
    pub description: Option<String>,
    /// The owner's own JSON object, kept and shown as it is.
    #[serde(default)]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// How bodies are built.
    #[serde(default)]
    pub payload: PayloadKind,
    /// Extra request headers, names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What was asked for of its delivery beside the server's defaults.
    #[serde(flatten)]
    pub terms: Terms,
    /// Signs.
    pub secret: Secret,
    /// Signs as well, by Ed25519 (`v1a`), when the subscription has chosen that.
    #[serde(default)]
    pub signing_key: Option<SigningKey>,
    /// Signs too, for a while after a rotation.
    #[serde(default)]
    pub previous_secret: Option<PreviousSecret>,
    /// How its receiver confirms its intent.
    #[serde(default)]
    pub intent: Intent,
    /// When it did; absent while it is pending.
    #[serde(default)]
    pub intent_confirmed_at: Option<Timestamp>,
    /// The confirmation: under way while it is pending, else the last one.
    #[serde(default)]
    pub handshake: Option<Handshake>,
    /// What its target granted.
    #[serde(default)]
    pub grant: Option<Grant>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed by its owner or by us.
    pub updated_at: Timestamp,
}

impl Subscription {
    /// How its hooks are signed.
    #[must_use]
    pub const fn signature(&self) -> Signature {
        if self.signing_key.is_some() { Signature::V1a } else { Signature::V1 }
    }

    /// The pattern through which it wants this type: the name itself when listed, else the first wildcard.
    #[must_use]
    pub fn pattern_for(&self, name: &EventName) -> Option<&EventPattern> {
        let mut matching = self.events.iter().filter(|pattern| pattern.matches(name));
        let first = matching.next()?;
        if first.is_exact() { Some(first) } else { Some(matching.find(|p| p.is_exact()).unwrap_or(first)) }
    }

    /// The most requests that it is sent in a time: as its owner asked, or as its target has granted, whichever is less; any
    /// number when absent.
    #[must_use]
    pub fn rate(&self) -> Option<RateLimit> {
        let granted = self.grant.as_ref().and_then(|grant| grant.per_minute).map(RateLimit::of_minute);
        let both = self.terms.rate_limit.into_iter().chain(granted);
        both.min_by_key(|rate| rate.per_minute())
    }

    /// Whether it is what its target has granted that bounds its rate.
    #[must_use]
    pub fn is_rate_granted(&self) -> bool {
        let granted = self.grant.as_ref().and_then(|grant| grant.per_minute);
        let own = self.terms.rate_limit.map(RateLimit::per_minute);
        granted.is_some_and(|granted| own.is_none_or(|own| granted < own))
    }
}

/// How a subscription's deliveries have fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// The last acknowledged attempt.
    pub last_success_at: Option<Timestamp>,
    /// The last failed attempt.
    pub last_failure_at: Option<Timestamp>,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    /// Failed attempts since the last success.
    pub consecutive_failures: u64,
}

impl Health {
    /// Two nodes' views of the same subscription as one: the newest of each, and no failures from before a success.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let last_success_at = self.last_success_at.max(other.last_success_at);
        let failing = |health: Self| health.failing_since.filter(|since| Some(*since) > last_success_at);
        let both = [self, other];
        let failing_since = both.into_iter().filter_map(failing).min();
        let failures = both.into_iter().filter(|one| failing(*one).is_some());
        Self {
            last_success_at,
            last_failure_at: self.last_failure_at.max(other.last_failure_at),
            failing_since,
            consecutive_failures: failures.map(|one| one.consecutive_failures).max().unwrap_or(0),
        }
    }
}

/// What changes with every event and delivery of a subscription: kept in memory, saved together with the watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The last sequence number given to a delivery; 0 before the first.
    pub sequence: u64,
    /// How its deliveries have fared.
    pub health: Health,
}
