//! API keys.

use crate::error::Error;
use crate::hooks::{Hooks, List};
use crate::model::{AccountId, ApiKey, KeyId, KeyRole};
use crate::store::Page;

/// A key that has just been made.
#[derive(Clone)]
pub struct NewKey {
    /// As it is stored.
    pub stored: ApiKey,
    /// The key itself, shown this once.
    pub key: String,
}

impl Hooks {
    /// Makes a key.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is longer than 128 bytes.
    pub async fn create_key(&self, role: KeyRole, name: Option<String>) -> Result<NewKey, Error> {
        todo!()
    }

    /// Makes sure that this very key is a provider's: for an admin key that the operator gave. Idempotent.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn ensure_provider_key(&self, key: &str) -> Result<(), Error> {
        todo!()
    }

    /// Whether any provider's key is there.
    #[must_use]
    pub fn has_provider_key(&self) -> bool {
        todo!()
    }

    /// What a key admits to; `None` for an unknown one. Looked up by hash, in memory.
    #[must_use]
    pub fn authenticate(&self, key: &str) -> Option<KeyRole> {
        todo!()
    }

    /// Keys, newest first, of one account or all.
    #[must_use]
    pub fn keys(&self, account: Option<&AccountId>, page: Page<KeyId>) -> List<ApiKey, KeyId> {
        todo!()
    }

    /// Deletes a key, effective at once.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_key(&self, id: KeyId) -> Result<(), Error> {
        todo!()
    }
}
