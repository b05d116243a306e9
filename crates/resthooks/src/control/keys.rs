//! API keys.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::order::page_limit;
use super::validate::Findings;
use crate::core::Core;
use crate::error::Error;
use crate::hooks::{Hooks, List};
use crate::limits::MAX_KEY_NAME_BYTES;
use crate::model::{Access, AccountId, Actor, ApiKey, AuditAction, KeyHash, KeyId, KeyRole, Uid};
use crate::store::Page;

/// What every key that we make begins with, so that people and scanners recognise it.
const PREFIX: &str = "rhk_";

/// The id of the key that a first start makes: the same for all nodes, so that the store refuses a second one.
const FIRST: KeyId = KeyId(Uid::ZERO);

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
        let key = self.core().new_key();
        let hash = KeyHash::of(&key);
        let actor = Arc::clone(self.actor());
        let adding = move |core: Arc<Core>| async move {
            let id = core.new_key_id();
            core.add_key(id, role, name, hash, &actor).await
        };
        let stored = self.core().adding(adding).await?;
        Ok(NewKey { stored, key })
    }

    /// Makes a provider's key unless there is one: for a first start. Of several nodes that start at once on an empty
    /// store, one makes it.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn create_first_provider_key(&self, name: &str) -> Result<Option<NewKey>, Error> {
        let (key, name) = (self.core().new_key(), name.to_owned());
        let hash = KeyHash::of(&key);
        let actor = Arc::clone(self.actor());
        let stored = self
            .core()
            .in_order(move |core| async move {
                if core.keyring.has_provider() {
                    return Ok(None);
                }
                match core.add_key(FIRST, KeyRole::Provider, Some(name), hash, &actor).await {
                    Ok(stored) => Ok(Some(stored)),
                    Err(Error::Conflict { .. }) => core.catch_up().await.map(|()| None),
                    Err(error) => Err(error),
                }
            })
            .await?;
        Ok(stored.map(|stored| NewKey { stored, key }))
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
        let actor = Arc::clone(self.actor());
        self.core()
            .in_order(move |core| async move {
                if core.is_provider_key(&hash)? {
                    return Ok(());
                }
                let id = core.new_key_id();
                let name = Some(NewKey::GIVEN.to_owned());
                match core.add_key(id, KeyRole::Provider, name, hash, &actor).await {
                    Ok(_) => Ok(()),
                    // Another node was given the same one and was quicker.
                    Err(conflict @ Error::Conflict { .. }) => {
                        core.catch_up().await?;
                        if core.is_provider_key(&hash)? { Ok(()) } else { Err(conflict) }
                    }
                    Err(error) => Err(error),
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
        let actor = Arc::clone(self.actor());
        self.core()
            .in_order(move |core| async move {
                let key = core.keyring.get(id);
                let account = key.as_ref().and_then(|key| key.role.account());
                let entry = core.audit(&actor, AuditAction::ApiKeyRevoked, &id, account);
                let there = core.store.delete_key(id, Some(&entry)).await?;
                core.keyring.remove(id);
                if there { Ok(()) } else { Err(Error::NotFound) }
            })
            .await
    }
}

impl Core {
    fn new_key(&self) -> String {
        let mut bytes = [0; 32];
        self.options.random.fill(&mut bytes);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn new_key_id(&self) -> KeyId {
        KeyId(Uid::new(self.options.clock.now(), self.options.random.u128()))
    }

    /// Whether a provider's key has this hash; refused when an account's has.
    fn is_provider_key(&self, hash: &KeyHash) -> Result<bool, Error> {
        match self.keyring.find(hash).as_ref().map(|key| &key.role) {
            Some(KeyRole::Provider) => Ok(true),
            Some(KeyRole::Consumer(account)) => {
                let detail = format!("this key is already one of account {account}");
                Err(Error::Conflict { code: "already_exists", detail })
            }
            None => Ok(false),
        }
    }

    async fn add_key(
        &self,
        id: KeyId,
        role: KeyRole,
        name: Option<String>,
        hash: KeyHash,
        actor: &Actor,
    ) -> Result<ApiKey, Error> {
        let created_at = self.options.clock.now();
        let access = Access::Full;
        let key = ApiKey { id, role, access, name, hash, created_at, expires_at: None, last_used_at: None };
        let entry = self.audit(actor, AuditAction::ApiKeyCreated, &id, key.role.account());
        self.store.insert_key(&key, Some(&entry)).await?;
        self.keyring.insert(key.clone());
        Ok(key)
    }
}
