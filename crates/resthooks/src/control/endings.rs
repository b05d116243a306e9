//! How subscriptions end or stop: deleted by their owners, gone because of a 410, disabled by us; and what all of
//! these have in common.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::core::Core;
use crate::error::Error;
use crate::hooks::{Hooks, Scope};
use crate::limits::MAX_PAGE;
use crate::model::{
    AccountId, Actor, EventPattern, Subscription, SubscriptionId, SubscriptionNo, SubscriptionStatus,
    TargetUrl,
};
use crate::store::{Page, SubscriptionFilter};

impl Hooks {
    /// Ends a subscription and cancels what waits for it. Answers alike when it had ended already.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an id that never was the caller's.
    pub async fn delete_subscription(&self, scope: &Scope, id: SubscriptionId) -> Result<(), Error> {
        let (scope, actor) = (scope.clone(), Arc::clone(self.actor()));
        self.core()
            .in_order(move |core| async move {
                let subscription = core.store.subscription(id).await?.ok_or(Error::NotFound)?;
                scope.check(&subscription.account)?;
                if subscription.status.is_ended() {
                    return Ok(());
                }
                core.stop(subscription, SubscriptionStatus::Deleted, None, &actor).await
            })
            .await
    }

    /// Ends an account's subscriptions with this target (and this pattern, if given); answers how many there were.
    ///
    /// # Errors
    /// When the store can't be written; some may have ended then, and the rest do when it is repeated.
    pub async fn delete_subscriptions_by_target(
        &self,
        account: &AccountId,
        target_url: &TargetUrl,
        event: Option<&EventPattern>,
    ) -> Result<usize, Error> {
        let filter = SubscriptionFilter {
            account: Some(account.clone()),
            status: None,
            target_url: Some(target_url.clone()),
            event: event.cloned(),
        };
        let mut ended = 0;
        loop {
            let (filter, actor) = (filter.clone(), Arc::clone(self.actor()));
            let ending = |core: Arc<Core>| async move { core.end_some(&filter, &actor).await };
            let some = self.core().in_order(ending).await?;
            ended += some;
            if some < MAX_PAGE {
                return Ok(ended);
            }
        }
    }
}

impl Core {
    /// Ends a subscription whose target said 410, unless it has ended already or has another target by now: the
    /// answer of a target that its owner has left says nothing of the new one. Whether it ended with this.
    ///
    /// # Errors
    /// When the store can't be written; it goes on as before then.
    pub(crate) async fn end_subscription_gone(
        self: &Arc<Self>,
        no: SubscriptionNo,
        target: &TargetUrl,
        reason: &str,
    ) -> Result<bool, Error> {
        let (target, reason) = (target.clone(), reason.to_owned());
        self.in_order(move |core| async move {
            let Some(live) = core.index.get(no).filter(|live| live.subscription.target_url == target) else {
                return Ok(false);
            };
            let gone = SubscriptionStatus::Gone;
            core.stop(live.subscription.clone(), gone, Some(reason), &Actor::system()).await?;
            Ok(true)
        })
        .await
    }

    /// Disables an active subscription that keeps failing. One that was resumed, or had a success, since the caller
    /// judged it goes on. Whether it is disabled with this.
    ///
    /// # Errors
    /// When the store can't be written; it goes on as before then.
    pub(crate) async fn disable_subscription(
        self: &Arc<Self>,
        no: SubscriptionNo,
        reason: &str,
    ) -> Result<bool, Error> {
        let reason = reason.to_owned();
        self.in_order(move |core| async move {
            let Some(live) = core.index.get(no) else { return Ok(false) };
            if live.subscription.status != SubscriptionStatus::Active || live.health().failing_since.is_none()
            {
                return Ok(false);
            }
            if core.has_fared_well(no).await? {
                return Ok(false);
            }
            let disabled = SubscriptionStatus::Disabled;
            core.stop(live.subscription.clone(), disabled, Some(reason), &Actor::system()).await?;
            Ok(true)
        })
        .await
    }

    /// Whether another node has delivered to a subscription that fails here: then its failures are counted anew.
    async fn has_fared_well(&self, no: SubscriptionNo) -> Result<bool, Error> {
        if !self.store.is_shared() {
            return Ok(false);
        }
        let standing = self.store.standing(&[no]).await?;
        let Some(succeeded) = standing.first().and_then(|one| one.progress.health.last_success_at) else {
            return Ok(false);
        };
        let Some(live) = self.index.get(no) else { return Ok(false) };
        let health = self.index.note_health(&live, |health| {
            if health.failing_since.is_some_and(|since| since < succeeded) {
                health.failing_since = Some(succeeded);
            }
        });
        let now = self.options.clock.now();
        Ok(health.failing_since.is_none_or(|since| now.since(since) < self.options.disable_after))
    }

    /// Stores and shows that a subscription gets no more hooks. Within a change's turn only.
    pub(super) async fn stop(
        &self,
        mut subscription: Subscription,
        status: SubscriptionStatus,
        reason: Option<String>,
        actor: &Actor,
    ) -> Result<(), Error> {
        subscription.status = status;
        subscription.status_reason = reason;
        subscription.updated_at = self.options.clock.now();
        let entry = self.audit_stop(actor, &subscription);
        self.store_change(subscription, Some(&entry)).await?;
        Ok(())
    }

    /// Ends a page of those that a filter finds, side by side so that they share the store's commits; how many there
    /// were. Within a change's turn only.
    async fn end_some(
        self: &Arc<Self>,
        filter: &SubscriptionFilter,
        actor: &Arc<Actor>,
    ) -> Result<usize, Error> {
        let found = self.store.list_subscriptions(filter, Page { after: None, limit: MAX_PAGE }).await?;
        let count = found.len();
        let mut ending = JoinSet::new();
        for subscription in found {
            let (core, actor) = (Arc::clone(self), Arc::clone(actor));
            let deleted = SubscriptionStatus::Deleted;
            ending.spawn(async move { core.stop(subscription, deleted, None, &actor).await });
        }
        let mut result = Ok(count);
        while let Some(ended) = ending.join_next().await {
            let ended = ended.unwrap_or_else(|_| Err(Error::Internal("the change failed".to_owned())));
            result = result.and_then(|count| ended.map(|()| count));
        }
        result
    }
}
