//! API keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::order::page_limit;
use super::validate::Findings;
use crate::core::Core;
use crate::error::Error;
use crate::hooks::{Hooks, List};
use crate::limits::MAX_KEY_NAME_BYTES;
use crate::model::{AccountId, ApiKey, KeyHash, KeyId, KeyRole, Uid};
use crate::store::Page;

/// What every key that we make begins with, so that people and scanners recognise it.
const PREFIX: &str = "rhk_";

/// A key that has just been made.
#[derive(Clone)]
pub struct NewKey {
    /// As it is stored.
    pub stored: ApiKey,
    /// The key itself, shown this once.
    pub key: String,
}

impl NewKey {
    /// The name of a provider's key that the operator gave, see [`Hooks::ensure_provider_key`]. No other key gets it.
    pub const GIVEN: &'static str = "given at start";
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKey").field("stored", &self.stored).field("key", &"…").finish()
    }
}

impl Hooks {
    /// Makes a key.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is longer than 128 bytes.
    pub async fn create_key(&self, role: KeyRole, name: Option<String>) -> Result<NewKey, Error> {
        let mut findings = Findings::default();
        findings.check_text("name", name.as_deref(), MAX_KEY_NAME_BYTES);
        if name.as_deref() == Some(NewKey::GIVEN) {
            findings.add("name", "is reserved");
        }
        findings.into_result()?;
        let mut bytes = [0; 32];
        self.core().options.random.fill(&mut bytes);
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let hash = KeyHash::of(&key);
        let stored =
            self.core().adding(move |core| async move { core.add_key(role, name, hash).await }).await?;
        Ok(NewKey { stored, key })
    }

    /// Makes sure that this very key is a provider's: for an admin key that the operator gave. Idempotent.
    ///
    /// # Errors
    /// When the store can't be written; [`Error::Conflict`] (`already_exists`) when it is an account's key.
    pub async fn ensure_provider_key(&self, key: &str) -> Result<(), Error> {
        if key.is_empty() {
            return Err(Error::field("admin_key", "must not be empty"));
        }
        let hash = KeyHash::of(key);
        self.core()
            .in_order(move |core| async move {
                let there = core.keyring.find(&hash);
                match there.as_ref().map(|key| &key.role) {
                    Some(KeyRole::Provider) => Ok(()),
                    Some(KeyRole::Consumer(account)) => {
                        let detail = format!("this key is already one of account {account}");
                        Err(Error::Conflict { code: "already_exists", detail })
                    }
                    None => {
                        core.add_key(KeyRole::Provider, Some(NewKey::GIVEN.to_owned()), hash).await?;
                        Ok(())
                    }
                }
            })
            .await
    }

    /// Whether any provider's key is there.
    #[must_use]
    pub fn has_provider_key(&self) -> bool {
        self.core().keyring.has_provider()
    }

    /// What a key admits to; `None` for an unknown one. Looked up by hash, in memory.
    #[must_use]
    pub fn authenticate(&self, key: &str) -> Option<KeyRole> {
        self.core().keyring.find(&KeyHash::of(key)).map(|key| key.role.clone())
    }

    /// Keys, newest first, of one account or all.
    #[must_use]
    pub fn keys(&self, account: Option<&AccountId>, page: Page<KeyId>) -> List<ApiKey, KeyId> {
        let limit = page_limit(page.limit);
        let found = self.core().keyring.before(page.after, account, limit + 1);
        List::cut(found, limit, |key| key.id)
    }

    /// Deletes a key, effective at once.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_key(&self, id: KeyId) -> Result<(), Error> {
        self.core()
            .in_order(move |core| async move {
                let there = core.store.delete_key(id).await?;
                core.keyring.remove(id);
                if there { Ok(()) } else { Err(Error::NotFound) }
            })
            .await
    }
}

impl Core {
    async fn add_key(&self, role: KeyRole, name: Option<String>, hash: KeyHash) -> Result<ApiKey, Error> {
        let now = self.options.clock.now();
        let id = KeyId(Uid::new(now, self.options.random.u128()));
        let key = ApiKey { id, role, name, hash, created_at: now };
        self.store.insert_key(&key).await?;
        self.keyring.insert(key.clone());
        Ok(key)
    }
}
