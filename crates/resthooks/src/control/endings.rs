//! Subscriptions that end or stop without their owner's doing, and what every end has in common.

use std::sync::Arc;

use crate::core::Core;
use crate::error::Error;
use crate::model::{Subscription, SubscriptionNo, SubscriptionStatus, TargetUrl};

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
            core.stop(live.subscription.clone(), SubscriptionStatus::Gone, Some(reason)).await?;
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
            core.stop(live.subscription.clone(), SubscriptionStatus::Disabled, Some(reason)).await?;
            Ok(true)
        })
        .await
    }

    /// Stores and shows that a subscription gets no more hooks. Within a change's turn only.
    pub(super) async fn stop(
        &self,
        mut subscription: Subscription,
        status: SubscriptionStatus,
        reason: Option<String>,
    ) -> Result<(), Error> {
        let no = subscription.no;
        subscription.status = status;
        subscription.status_reason = reason;
        subscription.updated_at = self.options.clock.now();
        self.store.update_subscription(&subscription).await?;
        self.index.apply(subscription);
        self.subscription_changed(no);
        Ok(())
    }
}
