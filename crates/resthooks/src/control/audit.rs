//! The audit trail: an entry for each change, handed to the store with the change itself, and reading them back.
//!
//! Names what was changed, never to what: an entry holds no secret and none of an account's data.

use std::fmt;

use super::order::page_limit;
use crate::core::Core;
use crate::error::Error;
use crate::hooks::{Hooks, List};
use crate::model::{
    AccountId, Actor, AuditAction, AuditEntry, AuditId, EventType, Subscription, SubscriptionStatus,
};
use crate::store::{AuditFilter, Page};

impl Hooks {
    /// The audit trail, newest first. It tells of every account: for the provider alone.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        page: Page<AuditId>,
    ) -> Result<List<AuditEntry, AuditId>, Error> {
        let limit = page_limit(page.limit);
        let page = Page { after: page.after, limit: limit + 1 };
        let found = self.core().store.list_audit(filter, page).await?;
        Ok(List::cut(found, limit, |entry| entry.id))
    }
}

impl Core {
    /// What the trail says of a change that is made now.
    pub(crate) fn audit(
        &self,
        actor: &Actor,
        action: AuditAction,
        object: &dyn fmt::Display,
        account: Option<&AccountId>,
    ) -> AuditEntry {
        let (at, random) = (self.options.clock.now(), self.options.random.u128());
        AuditEntry::new(at, random, actor.clone(), action, object, account.cloned())
    }

    /// The same of a subscription that its owner changed. Another secret is what such an entry is looked for.
    pub(super) fn audit_change(
        &self,
        actor: &Actor,
        former: &Subscription,
        now: &Subscription,
    ) -> AuditEntry {
        let changed = changed_settings(former, now);
        let rotated = changed.contains(&"secret") || changed.contains(&"signature");
        let action = match rotated {
            true => AuditAction::SubscriptionSecretRotated,
            false => AuditAction::SubscriptionUpdated,
        };
        self.audit(actor, action, &now.id, Some(&now.account)).changing(&changed)
    }

    /// The same of a subscription that gets no more hooks.
    pub(super) fn audit_stop(&self, actor: &Actor, subscription: &Subscription) -> AuditEntry {
        let action = match subscription.status {
            SubscriptionStatus::Gone => AuditAction::SubscriptionGone,
            SubscriptionStatus::Disabled => AuditAction::SubscriptionDisabled,
            SubscriptionStatus::Deleted => AuditAction::SubscriptionDeleted,
            SubscriptionStatus::Pending | SubscriptionStatus::Active | SubscriptionStatus::Paused => {
                AuditAction::SubscriptionUpdated
            }
        };
        let entry = self.audit(actor, action, &subscription.id, Some(&subscription.account));
        AuditEntry { reason: subscription.status_reason.clone(), ..entry }
    }
}

/// The settings in which two versions of a subscription differ, by the names that their owner knows.
fn changed_settings(former: &Subscription, now: &Subscription) -> Vec<&'static str> {
    let all = [
        ("target_url", former.target_url != now.target_url),
        ("events", former.events != now.events),
        ("active", former.status != now.status),
        ("description", former.description != now.description),
        ("metadata", former.metadata != now.metadata),
        ("payload", former.payload != now.payload),
        ("headers", former.headers != now.headers),
        ("max_in_flight", former.terms.max_in_flight != now.terms.max_in_flight),
        ("retry", former.terms.retry != now.terms.retry),
        ("timeout", former.terms.timeout != now.terms.timeout),
        ("rate_limit", former.terms.rate_limit != now.terms.rate_limit),
        ("expires_at", former.terms.expires_at != now.terms.expires_at),
        ("secret", former.secret != now.secret),
        ("signature", former.signing_key != now.signing_key),
        ("intent", former.intent != now.intent),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// The same of an event type.
pub(super) fn changed_members(former: &EventType, now: &EventType) -> Vec<&'static str> {
    let all = [
        ("description", former.description != now.description),
        ("schema", former.schema != now.schema),
        ("sample", former.sample != now.sample),
        ("resource_url", former.resource_url != now.resource_url),
        ("archived", former.archived != now.archived),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
