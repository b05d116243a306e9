//! What callers manage: subscriptions, event types, keys, accounts. An audit entry that is given with a change is written
//! in the same transaction, and only when there was something to change.

use async_trait::async_trait;

use super::{ChangeNo, Error, Page};
use crate::model::{
    AccountId, AccountSettings, Actor, ApiKey, AuditAction, AuditEntry, AuditId, EventName, EventPattern,
    EventSeq, EventType, KeyId, Progress, Subscription, SubscriptionId, SubscriptionNo, SubscriptionStatus,
    TargetUrl, Timestamp, Uid,
};

/// The control plane's part of a store. Low rates: one transaction each.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Everything that a node keeps in memory. Asked once, at start.
    async fn snapshot(&self) -> Result<Snapshot, Error>;

    /// Inserts a subscription and gives its number.
    async fn insert_subscription(
        &self,
        subscription: &Subscription,
        audit: Option<&AuditEntry>,
    ) -> Result<SubscriptionNo, Error>;
    /// Replaces the subscription with this number, if it still has this version; it has the next one then.
    ///
    /// # Errors
    /// [`Error::Overtaken`] when it has another version by now.
    async fn update_subscription(
        &self,
        subscription: &Subscription,
        audit: Option<&AuditEntry>,
    ) -> Result<(), Error>;
    /// The subscription with this id, whatever its status.
    async fn subscription(&self, id: SubscriptionId) -> Result<Option<Subscription>, Error>;
    /// The subscriptions with these numbers, whatever their status, in any order; those that don't exist are left
    /// out.
    async fn subscriptions_by_no(&self, numbers: &[SubscriptionNo]) -> Result<Vec<Subscription>, Error>;
    /// How subscriptions' deliveries have fared on all nodes, as last saved, and how many wait in the store; those that
    /// don't exist are left out.
    async fn standing(&self, numbers: &[SubscriptionNo]) -> Result<Vec<Standing>, Error>;
    /// Subscriptions, newest first.
    async fn list_subscriptions(
        &self,
        filter: &SubscriptionFilter,
        page: Page<SubscriptionId>,
    ) -> Result<Vec<Subscription>, Error>;

    /// Inserts or replaces an event type, by name.
    async fn put_event_type(&self, event_type: &EventType, audit: Option<&AuditEntry>) -> Result<(), Error>;
    /// Deletes an event type; whether there was one.
    async fn delete_event_type(&self, name: &EventName, audit: Option<&AuditEntry>) -> Result<bool, Error>;

    /// Inserts a key.
    ///
    /// # Errors
    /// [`Error::Exists`] when one with this id or this hash is there.
    async fn insert_key(&self, key: &ApiKey, audit: Option<&AuditEntry>) -> Result<(), Error>;
    /// Deletes a key; whether there was one.
    async fn delete_key(&self, id: KeyId, audit: Option<&AuditEntry>) -> Result<bool, Error>;
    /// Notes when keys were last used; one that is there with a later time keeps it. Those that don't exist are passed over.
    async fn touch_keys(&self, used: &[(KeyId, Timestamp)]) -> Result<(), Error>;

    /// Accounts that hold anything, ascending by id, those after `after`.
    async fn list_accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountSummary>, Error>;
    /// One account; `None` when it holds nothing.
    async fn account(&self, id: &AccountId) -> Result<Option<AccountSummary>, Error>;
    /// Sets an account's settings; an account that is not there yet is made.
    async fn put_account(
        &self,
        id: &AccountId,
        settings: &AccountSettings,
        now: Timestamp,
        audit: Option<&AuditEntry>,
    ) -> Result<(), Error>;
    /// Durably starts the deletion of an account: its keys and subscriptions go at once, its events up to the last
    /// one now, with their deliveries, in steps. `None` when it holds nothing.
    async fn begin_delete_account(
        &self,
        id: &AccountId,
        now: Timestamp,
        audit: Option<&AuditEntry>,
    ) -> Result<Option<DeletedAccount>, Error>;
    /// Deletes up to `limit` more events of an account whose deletion was begun; whether it is done.
    async fn delete_account_step(&self, deleted: &DeletedAccount, limit: usize) -> Result<bool, Error>;

    /// The audit trail, newest first.
    async fn list_audit(&self, filter: &AuditFilter, page: Page<AuditId>) -> Result<Vec<AuditEntry>, Error>;
    /// Seals subscriptions' secrets with the key that seals now, those with numbers above `after`, at most `limit`;
    /// the last number that was looked at, `None` when there are no more. What such a step changes is no change of a
    /// subscription: its version stays. Once all are done, keys that seal nothing any more are forgotten.
    async fn reseal(&self, after: SubscriptionNo, limit: usize) -> Result<Option<SubscriptionNo>, Error>;
}

/// What a node keeps in memory.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Every subscription that has not ended, with its counters as last saved.
    pub subscriptions: Vec<(Subscription, Progress)>,
    /// Every event type.
    pub event_types: Vec<EventType>,
    /// Every key.
    pub keys: Vec<ApiKey>,
    /// The settings of every account that has any.
    pub accounts: Vec<(AccountId, AccountSettings)>,
    /// Account deletions that were begun and are not done.
    pub deletions: Vec<DeletedAccount>,
    /// Changes up to here are in it; later ones may be.
    pub change: ChangeNo,
}

/// How a subscription stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The subscription.
    pub subscription: SubscriptionNo,
    /// Its counters as last saved, by all nodes.
    pub progress: Progress,
    /// Its scheduled and held deliveries.
    pub waiting: u64,
}

/// An account deletion under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedAccount {
    /// The account.
    pub account: AccountId,
    /// Its events up to this one go.
    pub through: EventSeq,
}

/// Which subscriptions to list.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionFilter {
    /// Of this account; else of all.
    pub account: Option<AccountId>,
    /// In this status. Without it, ended ones are left out; deleted ones always are.
    pub status: Option<SubscriptionStatus>,
    /// With this target.
    pub target_url: Option<TargetUrl>,
    /// That list this pattern, to the letter.
    pub event: Option<EventPattern>,
}

/// What an account holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// The account.
    pub id: AccountId,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// Its subscriptions that have not ended.
    pub subscriptions: u64,
    /// Its events within retention.
    pub events: u64,
    /// Its API keys.
    pub api_keys: u64,
    /// Its settings.
    pub settings: AccountSettings,
}

/// Which of the audit trail to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this account; else all.
    pub account: Option<AccountId>,
    /// By this actor.
    pub actor: Option<Actor>,
    /// Of this action.
    pub action: Option<AuditAction>,
    /// About this object.
    pub object: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl AuditFilter {
    /// The ids to look among: from the first on, and below the second. An entry's id is made of its time, so that the
    /// filters over time and the place of a page are one range.
    #[must_use]
    pub fn range(&self, page: &Page<AuditId>) -> (Uid, Uid) {
        let from = self.since.map_or(Uid::ZERO, Uid::first_of);
        let until = self.until.map(Uid::first_of);
        let below = until.into_iter().chain(page.after.map(|id| id.0)).min();
        (from, below.unwrap_or(Uid::LAST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_places_are_one_range() {
        let at = Timestamp::from_millis;
        let all = AuditFilter::default();
        assert_eq!(all.range(&Page { after: None, limit: 1 }), (Uid::ZERO, Uid::LAST));
        let filter = AuditFilter { since: Some(at(5)), until: Some(at(9)), ..all };
        let page = |millis| Page { after: Some(AuditId(Uid::new(at(millis), 7))), limit: 1 };
        assert_eq!(filter.range(&page(8)), (Uid::new(at(5), 0), Uid::new(at(8), 7)));
        assert_eq!(filter.range(&page(10)), (Uid::new(at(5), 0), Uid::new(at(9), 0)));
        let early = AuditFilter { since: Some(at(-5)), ..AuditFilter::default() };
        assert_eq!(early.range(&Page { after: None, limit: 1 }).0, Uid::ZERO);
        assert!(Uid::first_of(at(i64::MAX)) > Uid::first_of(at(1)));
    }
}
