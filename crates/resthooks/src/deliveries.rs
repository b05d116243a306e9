//! Reading deliveries, and trying or ending one by hand.

use crate::error::Error;
use crate::hooks::{Hooks, List, Scope};
use crate::model::{
    AccountId, Attempt, Delivery, DeliveryId, DeliveryStatus, EventId, EventName, SubscriptionId, Timestamp,
};
use crate::store::Page;

/// Which deliveries to list, in public ids.
#[derive(Debug, Clone, Default)]
pub struct DeliveryQuery {
    /// Of one account.
    pub account: Option<AccountId>,
    /// Of one subscription.
    pub subscription: Option<SubscriptionId>,
    /// Of one event.
    pub event: Option<EventId>,
    /// Of events of one type.
    pub event_type: Option<EventName>,
    /// In one status.
    pub status: Option<DeliveryStatus>,
    /// Whose event was created at or after.
    pub since: Option<Timestamp>,
    /// Whose event was created before.
    pub until: Option<Timestamp>,
}

impl Hooks {
    /// Deliveries that have a row, newest first. Unknown subscriptions and events give an empty list.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn deliveries(
        &self,
        scope: &Scope,
        query: DeliveryQuery,
        page: Page<DeliveryId>,
    ) -> Result<List<Delivery, DeliveryId>, Error> {
        todo!()
    }

    /// One delivery with all its attempts; one without a row is pending.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delivery(&self, scope: &Scope, id: DeliveryId) -> Result<(Delivery, Vec<Attempt>), Error> {
        todo!()
    }

    /// Makes one attempt now and answers when it has ended. A success ends the delivery; a failure changes nothing
    /// but the list of attempts.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`]: `delivery_in_flight`, or `subscription_ended`.
    pub async fn retry_delivery(
        &self,
        scope: &Scope,
        id: DeliveryId,
    ) -> Result<(Delivery, Vec<Attempt>), Error> {
        todo!()
    }

    /// Ends a delivery that is pending, scheduled or held.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`]: `delivery_in_flight` or `delivery_finished`.
    pub async fn cancel_delivery(&self, scope: &Scope, id: DeliveryId) -> Result<Delivery, Error> {
        todo!()
    }

    /// Sends one test event to a subscription now, whatever its status, and answers what came of it. Nothing is
    /// stored.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn ping(&self, scope: &Scope, id: SubscriptionId) -> Result<Attempt, Error> {
        todo!()
    }
}
