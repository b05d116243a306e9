//! Deliveries: one event for one subscription.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    AccountId, DeliveryId, EventId, EventName, EventSeq, Invalid, SubscriptionId, SubscriptionNo, Timestamp,
};

/// What a delivery is stored under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    /// The event's number.
    pub event: EventSeq,
    /// The subscription's number.
    pub subscription: SubscriptionNo,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// Accepted, nothing recorded yet: it waits in memory or is in flight. Has no row.
    Pending,
    /// Will be tried at `next_attempt_at`.
    Scheduled,
    /// Its subscription is paused or disabled.
    Held,
    /// The target acknowledged.
    Delivered,
    /// Given up: the schedule is at its end, or the answer can't be mended by trying again.
    Dead,
    /// Ended by its owner, or with its subscription.
    Cancelled,
}

impl DeliveryStatus {
    /// Every status, in the order of a delivery's life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Scheduled, Self::Held, Self::Delivered, Self::Dead, Self::Cancelled];

    /// The word used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing will be sent any more unless somebody asks for it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Dead | Self::Cancelled)
    }
}

impl FromStr for DeliveryStatus {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            Invalid::new("must be one of pending, scheduled, held, delivered, dead, cancelled")
        })
    }
}

/// A delivery as it is read: its row, or what is computed for one that has none yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What it is stored under.
    pub key: DeliveryKey,
    /// Its public id, the `webhook-id`.
    pub id: DeliveryId,
    /// Whose it is.
    pub account: AccountId,
    /// The event's public id.
    pub event: EventId,
    /// The event's type.
    pub event_type: EventName,
    /// Its place in its subscription's order.
    pub sequence: u64,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Why it stands there, for dead, cancelled and held ones.
    pub reason: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Of these, the ones that the schedule made.
    pub automatic: u32,
    /// When it will be tried next; scheduled ones only.
    pub next_attempt_at: Option<Timestamp>,
    /// The event's `created_at`.
    pub created_at: Timestamp,
    /// When its row was last written; for pending ones as `created_at`.
    pub updated_at: Timestamp,
}

impl Delivery {
    /// The subscription's public id.
    #[must_use]
    pub const fn subscription(&self) -> SubscriptionId {
        self.id.subscription
    }
}
