//! What other nodes have changed: brought into this node's memory, in the order in which it happened.

use std::sync::{Arc, PoisonError};

use crate::catalog::Entry;
use crate::core::Core;
use crate::error::Error;
use crate::model::{Subscription, SubscriptionStatus};
use crate::store::Change;

/// Changes that are read at once.
const PAGE: usize = 200;

impl Core {
    /// Brings into memory what other nodes have changed until now. Waits for this node's own changes.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(crate) async fn follow_changes(self: &Arc<Self>) -> Result<(), Error> {
        self.in_order(|_| async { Ok(()) }).await
    }

    /// As [`Core::follow_changes`], within a change's turn only: what is read must not be older than what this node
    /// itself puts into memory.
    pub(super) async fn catch_up(&self) -> Result<(), Error> {
        if !self.store.is_shared() {
            return Ok(());
        }
        loop {
            let after = *self.control.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let found = self.store.changes(after, PAGE).await?;
            for change in found.changes {
                self.show(change);
            }
            *self.control.seen.lock().unwrap_or_else(PoisonError::into_inner) = found.through.max(after);
            if !found.more {
                return Ok(());
            }
        }
    }

    fn show(&self, change: Change) {
        match change {
            Change::Subscription(subscription) => self.show_subscription(*subscription),
            Change::EventType(_, Some(event_type)) => self.catalog.put(Arc::new(Entry::lenient(*event_type))),
            Change::EventType(name, None) => self.catalog.remove(&name),
            Change::AccountSettings(id, settings) => self.accounts.put(&id, settings),
            Change::Key(_, Some(key)) => self.keyring.insert(*key),
            Change::Key(id, None) => self.keyring.remove(id),
            // Whatever this node made of it since is in the store, and so among what the account has by now.
            Change::Account { id, subscriptions, keys, settings } => {
                let (subscriptions, keys) = (subscriptions.into_iter().collect(), keys.into_iter().collect());
                let now = self.options.clock.now();
                self.forget_account(&id, &subscriptions, &keys, settings, now);
            }
        }
    }

    /// Shows a stored change in memory and tells dispatch. One that is active again starts with a clean record, so
    /// that it is not disabled for failures of before; the record is cleaned first, since dispatch may look at once.
    pub(super) fn show_subscription(&self, subscription: Subscription) {
        let no = subscription.no;
        let former = self.index.get(no);
        if let Some(former) = former.filter(|former| former.subscription.status != SubscriptionStatus::Active)
            && subscription.status == SubscriptionStatus::Active
        {
            self.index.note_health(&former, |health| health.failing_since = None);
        }
        self.index.apply(subscription);
        self.subscription_changed(no);
    }
}
