//! What the provider says of an account: it holds for what is written from then on.

use std::sync::Arc;

use crate::error::Error;
use crate::hooks::Hooks;
use crate::model::{AccountId, AccountSettings, AuditAction};
use crate::store::AccountSummary;

impl Hooks {
    /// Sets an account's settings, in place of those that it has. It need not be there yet. Subscriptions that are there
    /// stay as they are until they get another target.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn put_account(
        &self,
        id: &AccountId,
        settings: AccountSettings,
    ) -> Result<AccountSummary, Error> {
        let (id, actor) = (id.clone(), Arc::clone(self.actor()));
        self.core()
            .in_order(move |core| async move {
                let there = core.store.account(&id).await?;
                if let Some(there) = there.clone().filter(|there| there.settings == settings) {
                    return Ok(there);
                }
                let now = core.options.clock.now();
                let entry =
                    core.audit(&actor, AuditAction::AccountUpdated, &id, Some(&id)).changing(&["intent"]);
                core.store.put_account(&id, &settings, now, Some(&entry)).await?;
                core.accounts.put(&id, settings);
                // Without settings, and holding nothing, it is absent again.
                let empty = || AccountSummary {
                    id: id.clone(),
                    created_at: there.map_or(now, |there| there.created_at),
                    subscriptions: 0,
                    events: 0,
                    api_keys: 0,
                    settings: AccountSettings::default(),
                };
                Ok(core.store.account(&id).await?.unwrap_or_else(empty))
            })
            .await
    }
}
