//! Accounts' settings in memory.
//!
//! Written by the control plane after the store has the change; read when a subscription is written. Never does I/O.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::model::{AccountId, AccountSettings};

/// The settings of every account that has any.
#[derive(Debug, Default)]
pub(crate) struct AccountMap(RwLock<HashMap<AccountId, AccountSettings>>);

impl AccountMap {
    /// From what is stored.
    pub(crate) fn load(stored: Vec<(AccountId, AccountSettings)>) -> Self {
        Self(RwLock::new(stored.into_iter().collect()))
    }

    /// An account's settings.
    pub(crate) fn get(&self, id: &AccountId) -> AccountSettings {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned().unwrap_or_default()
    }

    /// Sets them; empty ones are forgotten.
    pub(crate) fn put(&self, id: &AccountId, settings: AccountSettings) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if settings.is_empty() {
            map.remove(id);
        } else {
            map.insert(id.clone(), settings);
        }
    }
}
