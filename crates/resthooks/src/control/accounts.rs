//! Accounts: what they hold, and deleting all of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::order::page_limit;
use crate::core::Core;
use crate::error::Error;
use crate::hooks::{Hooks, List};
use crate::model::{
    AccountId, AccountSettings, AuditAction, KeyId, Subscription, SubscriptionNo, SubscriptionStatus,
    Timestamp,
};
use crate::store::{AccountSummary, DeletedAccount, Page};

/// Events that are deleted in one transaction: few enough that what else is written waits only briefly.
const STEP: usize = 500;
/// How long a deletion waits when the store can't go on.
const RETRY_AFTER: Duration = Duration::from_secs(30);

impl Hooks {
    /// Accounts that hold anything, ascending by id.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn accounts(&self, page: Page<AccountId>) -> Result<List<AccountSummary, AccountId>, Error> {
        let limit = page_limit(page.limit);
        let found = self.core().store.list_accounts(page.after.as_ref(), limit + 1).await?;
        Ok(List::cut(found, limit, |account| account.id.clone()))
    }

    /// What one account holds.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it holds nothing.
    pub async fn account(&self, id: &AccountId) -> Result<AccountSummary, Error> {
        self.core().store.account(id).await?.ok_or(Error::NotFound)
    }

    /// Deletes all that is an account's: keys and subscriptions at once, events and deliveries until the answer.
    /// A crash in between is made up for at the next start.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it holds nothing. When the store can't go on: what is left is deleted later.
    pub async fn delete_account(&self, id: &AccountId) -> Result<(), Error> {
        let (id, actor) = (id.clone(), Arc::clone(self.actor()));
        let rest = self
            .core()
            .in_order(move |core| async move {
                let now = core.options.clock.now();
                let entry = core.audit(&actor, AuditAction::AccountDeleted, &id, Some(&id));
                let begun = core.store.begin_delete_account(&id, now, Some(&entry)).await?;
                let deleted = begun.ok_or(Error::NotFound)?;
                let none = AccountSettings::default();
                core.forget_account(&id, &HashSet::new(), &HashSet::new(), none, now);
                // Begun here, within the change: it goes on though the caller may be gone by now.
                Ok(tokio::spawn(delete_rest(Arc::clone(&core), deleted)))
            })
            .await?;
        rest.await.unwrap_or_else(|_| Err(Error::Internal("the deletion was broken off".to_owned())))
    }
}

impl Core {
    /// Takes an account's keys, subscriptions and settings out of memory, all but these, and tells dispatch.
    pub(super) fn forget_account(
        &self,
        id: &AccountId,
        subscriptions: &HashSet<SubscriptionNo>,
        keys: &HashSet<KeyId>,
        settings: AccountSettings,
        now: Timestamp,
    ) {
        self.accounts.put(id, settings);
        self.keyring.remove_account(id, keys);
        for live in self.index.all().into_iter().filter(|live| live.subscription.account == *id) {
            let no = live.subscription.no;
            if subscriptions.contains(&no) {
                continue;
            }
            let status = SubscriptionStatus::Deleted;
            self.index.apply(Subscription { status, updated_at: now, ..live.subscription.clone() });
            self.subscription_changed(no);
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = self.options.clock.sleep(RETRY_AFTER) => {}
            () = self.stopping.cancelled() => {}
        }
    }
}

/// Takes up the deletions that an earlier run began.
pub(crate) fn resume_deletions(core: &Arc<Core>, deletions: Vec<DeletedAccount>) {
    for deleted in deletions {
        tokio::spawn(delete_later(Arc::clone(core), deleted));
    }
}

/// Deletes an account's events; when the store can't go on, says so and tries again behind it.
async fn delete_rest(core: Arc<Core>, deleted: DeletedAccount) -> Result<(), Error> {
    let result = delete_events(&core, &deleted).await;
    if result.is_err() {
        tokio::spawn(async move {
            core.pause().await;
            delete_later(core, deleted).await;
        });
    }
    result
}

/// Deletes an account's events, however often the store can't go on. Ends with the engine: the next start takes it
/// up.
async fn delete_later(core: Arc<Core>, deleted: DeletedAccount) {
    while let Err(error) = delete_events(&core, &deleted).await {
        if core.stopping.is_cancelled() {
            return;
        }
        tracing::warn!(account = %deleted.account, %error, "an account's deletion waits for the store");
        core.pause().await;
    }
}

/// Deletes an account's events step by step.
async fn delete_events(core: &Core, deleted: &DeletedAccount) -> Result<(), Error> {
    while !core.store.delete_account_step(deleted, STEP).await? {
        if core.stopping.is_cancelled() {
            let detail = "shutting down; the deletion goes on at the next start".to_owned();
            return Err(Error::Unavailable { retry_after: RETRY_AFTER, detail });
        }
    }
    Ok(())
}
