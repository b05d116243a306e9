//! Creating, reading, changing and ending subscriptions.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::hooks::{Hooks, List, Scope};
use crate::model::{
    AccountId, EventPattern, Health, PayloadKind, Secret, Subscription, SubscriptionId, TargetUrl,
};
use crate::store::{Page, SubscriptionFilter};

/// What a subscription is created from, or replaced with (`PUT`).
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// What it wants; 1 to 100 patterns.
    pub events: Vec<EventPattern>,
    /// Where its hooks go.
    pub target_url: TargetUrl,
    /// `false` pauses it.
    pub active: bool,
    /// For humans.
    pub description: Option<String>,
    /// The owner's own JSON object.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// How bodies are built.
    pub payload: PayloadKind,
    /// Extra request headers.
    pub headers: BTreeMap<String, String>,
    /// The most requests in flight at once.
    pub max_in_flight: Option<u32>,
    /// The owner's own secret; one is made when absent (on replacing: the present one stays).
    pub secret: Option<Secret>,
}

/// What to change (`PATCH`): absent fields stay; `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionChange {
    /// New patterns.
    pub events: Option<Vec<EventPattern>>,
    /// A new target.
    pub target_url: Option<TargetUrl>,
    /// `true` resumes or re-enables, `false` pauses.
    pub active: Option<bool>,
    /// A new description.
    pub description: Option<Option<String>>,
    /// New metadata.
    pub metadata: Option<Option<serde_json::Map<String, serde_json::Value>>>,
    /// Another way to build bodies.
    pub payload: Option<PayloadKind>,
    /// New extra headers, replacing all.
    pub headers: Option<BTreeMap<String, String>>,
    /// A new cap.
    pub max_in_flight: Option<Option<u32>>,
    /// A new secret, at once and without grace.
    pub secret: Option<Secret>,
}

/// A subscription as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionView {
    /// As it is stored.
    pub subscription: Subscription,
    /// How its deliveries have fared.
    pub health: Health,
    /// Deliveries that wait: in memory, scheduled or held.
    pub pending: u64,
}

impl Hooks {
    /// Creates a subscription for an account.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every field that is wrong.
    pub async fn create_subscription(
        &self,
        account: &AccountId,
        new: NewSubscription,
    ) -> Result<SubscriptionView, Error> {
        todo!()
    }

    /// A subscription that has not ended.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is gone, deleted, absent or another account's.
    pub async fn subscription(&self, scope: &Scope, id: SubscriptionId) -> Result<SubscriptionView, Error> {
        todo!()
    }

    /// Subscriptions, newest first. The scope's account replaces the filter's.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn subscriptions(
        &self,
        scope: &Scope,
        filter: SubscriptionFilter,
        page: Page<SubscriptionId>,
    ) -> Result<List<SubscriptionView, SubscriptionId>, Error> {
        todo!()
    }

    /// Replaces a subscription's settings; its id, account and (unless given) secret stay.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`].
    pub async fn replace_subscription(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        new: NewSubscription,
    ) -> Result<SubscriptionView, Error> {
        todo!()
    }

    /// Changes some of a subscription's settings.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`].
    pub async fn change_subscription(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        change: SubscriptionChange,
    ) -> Result<SubscriptionView, Error> {
        todo!()
    }

    /// Ends a subscription and cancels what waits for it. Answers alike when it had ended already.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an id that never was the caller's.
    pub async fn delete_subscription(&self, scope: &Scope, id: SubscriptionId) -> Result<(), Error> {
        todo!()
    }

    /// Ends an account's subscriptions with this target (and this pattern, if given); answers how many there were.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn delete_subscriptions_by_target(
        &self,
        account: &AccountId,
        target_url: &TargetUrl,
        event: Option<&EventPattern>,
    ) -> Result<usize, Error> {
        todo!()
    }

    /// The current signing secret.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn subscription_secret(&self, scope: &Scope, id: SubscriptionId) -> Result<Secret, Error> {
        todo!()
    }

    /// Gives a subscription a new secret; the old one goes on signing beside it for `grace`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] when the grace is longer than 30 days.
    pub async fn rotate_secret(
        &self,
        scope: &Scope,
        id: SubscriptionId,
        grace: std::time::Duration,
    ) -> Result<SubscriptionView, Error> {
        todo!()
    }
}
