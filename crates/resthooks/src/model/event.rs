//! Events: accepted once, immutable.

use std::sync::Arc;

use bytes::Bytes;

use super::{AccountId, EventId, EventName, SubscriptionNo, Timestamp, Uid};

/// An event's number in the order of commits, from 1. Internal: it would tell one account how busy the others are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventSeq(pub i64);

impl EventSeq {
    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The number before this one.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0 - 1)
    }
}

/// One subscription that an event matched when it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    /// The subscription's internal number.
    pub subscription: SubscriptionNo,
    /// The delivery's place in that subscription's own order, from 1 and without gaps (`x-hook-sequence`).
    pub sequence: u64,
}

/// An accepted event with all that is needed to deliver it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The unique part of its deliveries' ids, always made by us.
    pub uid: Uid,
    /// The public id: the producer's own, else made of `uid`.
    pub id: EventId,
    /// Whose event it is.
    pub account: AccountId,
    /// Its type.
    pub event: EventName,
    /// When it happened: as the producer said, else when it was accepted.
    pub created_at: Timestamp,
    /// Any JSON value, byte for byte as it was sent.
    pub data: Bytes,
    /// Where the resource can be read (skinny payloads), when the producer said so.
    pub resource_url: Option<String>,
    /// Events with the same key keep their order, for subscriptions that ask for order by key.
    pub order_key: Option<String>,
    /// Of events with the same key, debounced subscriptions get the newest.
    pub debounce_key: Option<String>,
    /// What a producer's id stands for: SHA-256 over everything it sent. `None` when it gave no id.
    pub digest: Option<[u8; 32]>,
    /// The subscriptions that it goes to, ascending by number. Decided once, when it was accepted.
    pub matched: Vec<Match>,
}

/// An event and the number it was committed with. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequencedEvent {
    /// Its number.
    pub seq: EventSeq,
    /// The event.
    pub event: Arc<Event>,
}
