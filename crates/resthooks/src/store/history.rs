//! What callers read back: events, deliveries, attempts.

use async_trait::async_trait;

use super::Error;
use crate::model::{
    AccountId, Attempt, Delivery, DeliveryId, DeliveryKey, DeliveryStatus, EventId, EventName, EventSeq,
    SequencedEvent, SubscriptionNo, Timestamp, Uid,
};

/// The reading part of a store. Lists are newest first (by the event's number, then the subscription's).
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// Events with this public id: at most one per account; at most two are answered.
    async fn events_by_id(
        &self,
        account: Option<&AccountId>,
        id: &EventId,
    ) -> Result<Vec<SequencedEvent>, Error>;
    /// The event with this unique part.
    async fn event_by_uid(&self, uid: Uid) -> Result<Option<SequencedEvent>, Error>;
    /// Events, newest first. The cursor is the last one of the page before.
    async fn list_events(&self, filter: &EventFilter, page: Page<Uid>) -> Result<Vec<SequencedEvent>, Error>;

    /// The rows of these deliveries, in any order; those without a row are left out.
    async fn deliveries(&self, keys: &[DeliveryKey]) -> Result<Vec<Delivery>, Error>;
    /// Deliveries that have a row, newest first. The cursor is the last one of the page before.
    async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Vec<Delivery>, Error>;
    /// How many of a subscription's deliveries are dead.
    async fn missed(&self, subscription: SubscriptionNo) -> Result<Missed, Error>;
    /// A delivery's attempts, in their order.
    async fn attempts(&self, key: DeliveryKey) -> Result<Vec<Attempt>, Error>;
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<C> {
    /// What follows this one; from the start when absent. A cursor whose row was deleted gives an empty page.
    pub after: Option<C>,
    /// At most so many (from 1).
    pub limit: usize,
}

/// How much a subscription has missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missed {
    /// Deliveries that were given up.
    pub count: u64,
    /// When the event of the first of them happened.
    pub oldest: Option<Timestamp>,
}

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this account; else of all.
    pub account: Option<AccountId>,
    /// Of this type.
    pub event: Option<EventName>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Of this account; else of all.
    pub account: Option<AccountId>,
    /// Of this subscription.
    pub subscription: Option<SubscriptionNo>,
    /// Of this event.
    pub event: Option<EventSeq>,
    /// Of events of this type.
    pub event_type: Option<EventName>,
    /// In this status; `Pending` ones have no row, so that asking for them gives none.
    pub status: Option<DeliveryStatus>,
    /// Whose event was created at or after.
    pub since: Option<Timestamp>,
    /// Whose event was created before.
    pub until: Option<Timestamp>,
}
