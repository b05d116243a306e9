//! API keys: making, finding, listing and revoking them.

use std::sync::Arc;
use std::time::Duration;

use super::key_input::{KeyInput, NewKey};
use super::order::page_limit;
use crate::core::Core;
use crate::error::Error;
use crate::hooks::{Hooks, List};
use crate::model::{Access, AccountId, Actor, ApiKey, AuditAction, KeyHash, KeyId, KeyRole, Uid};
use crate::store::{self, Page};

/// The id of the key that a first start makes: the same for all nodes, so that the store refuses a second one.
const FIRST: KeyId = KeyId(Uid::ZERO);
/// How often uses of keys are saved.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Keys whose use is noted in the store at once.
const TOUCHED: usize = 500;

/// Whoever showed a key that admits to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The key.
    pub id: KeyId,
    /// Whose things it admits to.
    pub role: KeyRole,
    /// How much of what may be done with those.
    pub access: Access,
    /// Who acts with it, for [`Hooks::acting_as`].
    pub actor: Arc<Actor>,
}

/// Why a key admits to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// There is none like it, or there is none any more.
    #[error("this API key is not known")]
    Unknown,
    /// It has ended by itself.
    #[error("this API key has expired")]
    Expired,
}

impl Hooks {
    /// Makes a key that admits to all of what its role may do, without end: [`Hooks::make_key`].
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is longer than 128 bytes.
    pub async fn create_key(&self, role: KeyRole, name: Option<String>) -> Result<NewKey, Error> {
        self.make_key(KeyInput { name, ..KeyInput::new(role) }).await
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is longer than 128 bytes, or the end has passed.
    pub async fn make_key(&self, input: KeyInput) -> Result<NewKey, Error> {
        let actor = Arc::clone(self.actor());
        let adding = move |core: Arc<Core>| async move {
            let made = NewKey::make(input, core.options.clock.now(), &*core.options.random)?;
            core.add_key(&made.stored, &actor).await.map(|()| made)
        };
        self.core().adding(adding).await
    }

    /// Makes a provider's key unless there is one: for a first start. Of several nodes that start at once on an empty
    /// store, one makes it.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn create_first_provider_key(&self, name: &str) -> Result<Option<NewKey>, Error> {
        let (name, actor) = (name.to_owned(), Arc::clone(self.actor()));
        self.core()
            .in_order(move |core| async move {
                let now = core.options.clock.now();
                if core.keyring.has_provider(now) {
                    return Ok(None);
                }
                let input = KeyInput { name: Some(name), ..KeyInput::new(KeyRole::Provider) };
                let mut made = NewKey::make(input, now, &*core.options.random)?;
                made.stored.id = FIRST;
                match core.add_key(&made.stored, &actor).await {
                    Ok(()) => Ok(Some(made)),
                    Err(Error::Conflict { .. }) => core.catch_up().await.map(|()| None),
                    Err(error) => Err(error),
                }
            })
            .await
    }

    /// Makes sure that this very key is a provider's: for an admin key that the operator gave. Idempotent.
    ///
    /// # Errors
    /// When the store can't be written; [`Error::Conflict`] (`already_exists`) when it is another kind of key.
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
                match core.add_key(&core.given_key(hash), &actor).await {
                    Ok(()) => Ok(()),
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

    /// Whether any provider's key is there that admits to everything now.
    #[must_use]
    pub fn has_provider_key(&self) -> bool {
        let core = self.core();
        core.keyring.has_provider(core.options.clock.now())
    }

    /// What a key admits to, which is noted as a use of it. Looked up by hash, in memory.
    ///
    /// # Errors
    /// When it admits to nothing.
    pub fn authenticate(&self, key: &str) -> Result<Admitted, KeyRefused> {
        let core = self.core();
        let known = core.keyring.find(&KeyHash::of(key)).ok_or(KeyRefused::Unknown)?;
        let now = core.options.clock.now();
        if known.key.is_expired(now) {
            return Err(KeyRefused::Expired);
        }
        known.touch(now);
        let ApiKey { id, ref role, access, .. } = known.key;
        Ok(Admitted { id, role: role.clone(), access, actor: Arc::clone(&known.actor) })
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
                let known = core.keyring.get(id);
                let account = known.as_ref().and_then(|known| known.key.role.account());
                let entry = core.audit(&actor, AuditAction::ApiKeyRevoked, &id, account);
                let there = core.store.delete_key(id, Some(&entry)).await?;
                core.keyring.remove(id);
                if there { Ok(()) } else { Err(Error::NotFound) }
            })
            .await
    }
}

impl Core {
    /// The key that the operator gave.
    fn given_key(&self, hash: KeyHash) -> ApiKey {
        let created_at = self.options.clock.now();
        ApiKey {
            id: KeyId(Uid::new(created_at, self.options.random.u128())),
            role: KeyRole::Provider,
            access: Access::Full,
            name: Some(NewKey::GIVEN.to_owned()),
            hash,
            created_at,
            expires_at: None,
            last_used_at: None,
        }
    }

    /// Whether a provider's key has this hash; refused when another kind of key has.
    fn is_provider_key(&self, hash: &KeyHash) -> Result<bool, Error> {
        let Some(known) = self.keyring.find(hash) else { return Ok(false) };
        let conflict = |what: &str| {
            let detail = format!("this key is already {what}");
            Err(Error::Conflict { code: "already_exists", detail })
        };
        match &known.key {
            ApiKey { role: KeyRole::Consumer(account), .. } => conflict(&format!("one of account {account}")),
            ApiKey { access: Access::Limited { .. }, .. } => conflict("one that may not do everything"),
            ApiKey { expires_at: Some(_), .. } => conflict("one that expires"),
            ApiKey { role: KeyRole::Provider, access: Access::Full, expires_at: None, .. } => Ok(true),
        }
    }

    async fn add_key(&self, key: &ApiKey, actor: &Actor) -> Result<(), Error> {
        let entry = self.audit(actor, AuditAction::ApiKeyCreated, &key.id, key.role.account());
        self.store.insert_key(key, Some(&entry)).await?;
        self.keyring.insert(key.clone());
        Ok(())
    }

    /// Notes in the store when keys were used, as far as it does not know yet.
    ///
    /// # Errors
    /// When the store can't be written: they are noted with the next ones.
    pub(crate) async fn save_key_uses(&self) -> Result<(), store::Error> {
        for used in self.keyring.unsaved().chunks(TOUCHED) {
            self.store.touch_keys(used).await?;
            self.keyring.saved(used);
        }
        Ok(())
    }
}

/// Saves when keys were used, until the engine stops.
pub(crate) async fn save_key_uses(core: Arc<Core>) {
    loop {
        tokio::select! {
            () = core.options.clock.sleep(SAVE_EVERY) => {}
            () = core.stopping.cancelled() => return,
        }
        if let Err(error) = core.save_key_uses().await {
            tracing::warn!(%error, "when API keys were used could not be saved; trying again in a minute");
        }
    }
}
