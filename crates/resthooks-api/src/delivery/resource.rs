//! What a delivery looks like.

use resthooks::model::{
    AccountId, Attempt, Delivery, DeliveryId, EventId, EventName, SubscriptionId, Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::attempt;

/// One event for one subscription.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct Resource<'a> {
    /// Its id, which the target receives as `webhook-id`.
    #[schema(value_type = String)]
    id: DeliveryId,
    /// The event's id.
    #[schema(value_type = String)]
    event: &'a EventId,
    /// The event's type.
    #[schema(value_type = String, example = "contact.create")]
    event_type: &'a EventName,
    /// Whose it is.
    #[schema(value_type = String)]
    account: &'a AccountId,
    /// The subscription's id.
    #[schema(value_type = String)]
    subscription: SubscriptionId,
    /// `pending`, `scheduled` (will be tried at `next_attempt_at`), `held` (its subscription is paused or
    /// disabled), `delivered`, `dead` (given up) or `cancelled`.
    #[schema(value_type = String, example = "delivered")]
    status: &'static str,
    /// Why it stands there; for dead, cancelled and held ones.
    #[schema(required = true)]
    reason: Option<&'a str>,
    /// How many attempts were made.
    attempt_count: u32,
    /// When it will be tried next; `null` unless it is scheduled.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_attempt_at: Option<Timestamp>,
    /// Its place in its subscription's order, as in `x-hook-sequence`.
    sequence: u64,
    /// When the event happened.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When anything about it was last recorded.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl<'a> Resource<'a> {
    pub(crate) fn of(delivery: &'a Delivery) -> Self {
        Self {
            id: delivery.id,
            event: &delivery.event,
            event_type: &delivery.event_type,
            account: &delivery.account,
            subscription: delivery.subscription(),
            status: delivery.status.as_str(),
            reason: delivery.reason.as_deref(),
            attempt_count: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            sequence: delivery.sequence,
            created_at: delivery.created_at,
            updated_at: delivery.updated_at,
        }
    }
}

/// A delivery with all its attempts.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryWithAttempts)]
pub(crate) struct Whole<'a> {
    #[serde(flatten)]
    delivery: Resource<'a>,
    /// Its attempts, in their order.
    attempts: Vec<attempt::Resource<'a>>,
}

impl<'a> Whole<'a> {
    pub(crate) fn of(delivery: &'a Delivery, attempts: &'a [Attempt]) -> Self {
        Self {
            delivery: Resource::of(delivery),
            attempts: attempts.iter().map(attempt::Resource::of).collect(),
        }
    }
}
