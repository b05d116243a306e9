//! The API keys in memory, by hash.
//!
//! Written by the control plane after the store has the change; read with every authenticated request, which notes
//! here when a key was used. A key is looked up by its SHA-256, so that how long a lookup takes says nothing of any key.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::{Access, AccountId, Actor, ApiKey, KeyHash, KeyId, KeyRole, Timestamp};

/// A use is noted once in so many milliseconds: a key that is used all the time must not be written to all the time.
const GRAIN_MS: i64 = 1000;

/// A key, and when it was used.
#[derive(Debug)]
pub(crate) struct Known {
    pub key: ApiKey,
    /// Who acts with it.
    pub actor: Arc<Actor>,
    /// When it was last used, and up to when that is in the store; in milliseconds, 0 for never.
    used: AtomicI64,
    saved: AtomicI64,
}

impl Known {
    fn new(key: ApiKey) -> Self {
        let saved = key.last_used_at.map_or(0, Timestamp::as_millis);
        let actor = Arc::new(Actor::new("key", &key.id));
        Self { key, actor, used: AtomicI64::new(saved), saved: AtomicI64::new(saved) }
    }

    /// Notes that it is used.
    pub(crate) fn touch(&self, now: Timestamp) {
        let now = now.as_millis();
        if now - self.used.load(Ordering::Relaxed) >= GRAIN_MS {
            self.used.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// The key with when it was last used, as far as this node knows.
    fn shown(&self) -> ApiKey {
        let used = self.used.load(Ordering::Relaxed);
        ApiKey { last_used_at: (used > 0).then(|| Timestamp::from_millis(used)), ..self.key.clone() }
    }

    fn unsaved(&self) -> Option<(KeyId, Timestamp)> {
        let used = self.used.load(Ordering::Relaxed);
        (used > self.saved.load(Ordering::Relaxed)).then(|| (self.key.id, Timestamp::from_millis(used)))
    }
}

#[derive(Debug, Default)]
struct Maps {
    by_hash: HashMap<KeyHash, Arc<Known>>,
    by_id: BTreeMap<KeyId, Arc<Known>>,
}

/// All API keys.
#[derive(Debug, Default)]
pub(crate) struct Keyring(RwLock<Maps>);

impl Keyring {
    /// From what is stored.
    pub(crate) fn load(keys: Vec<ApiKey>) -> Self {
        let keyring = Self::default();
        keys.into_iter().for_each(|key| keyring.insert(key));
        keyring
    }

    /// The key with this hash.
    pub(crate) fn find(&self, hash: &KeyHash) -> Option<Arc<Known>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_hash.get(hash).map(Arc::clone)
    }

    /// The key with this id.
    pub(crate) fn get(&self, id: KeyId) -> Option<Arc<Known>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).map(Arc::clone)
    }

    /// Whether any key is there that admits to everything now.
    pub(crate) fn has_provider(&self, now: Timestamp) -> bool {
        let admits = |key: &ApiKey| {
            key.role == KeyRole::Provider && key.access == Access::Full && !key.is_expired(now)
        };
        let maps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        maps.by_hash.values().any(|known| admits(&known.key))
    }

    /// Up to `limit` keys made before this one, of one account or all, newest first.
    pub(crate) fn before(&self, id: Option<KeyId>, account: Option<&AccountId>, limit: usize) -> Vec<ApiKey> {
        let end = id.map_or(Bound::Unbounded, Bound::Excluded);
        let maps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let keys = maps.by_id.range((Bound::Unbounded, end)).rev().map(|(_, known)| known);
        keys.filter(|known| account.is_none_or(|account| is_of(&known.key, account)))
            .take(limit)
            .map(|known| known.shown())
            .collect()
    }

    /// Uses that are not in the store yet.
    pub(crate) fn unsaved(&self) -> Vec<(KeyId, Timestamp)> {
        let maps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        maps.by_id.values().filter_map(|known| known.unsaved()).collect()
    }

    /// Notes that these are.
    pub(crate) fn saved(&self, used: &[(KeyId, Timestamp)]) {
        let maps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for (id, at) in used {
            if let Some(known) = maps.by_id.get(id) {
                known.saved.fetch_max(at.as_millis(), Ordering::Relaxed);
            }
        }
    }

    /// Adds a key, or puts it in the place of its former version.
    pub(crate) fn insert(&self, key: ApiKey) {
        let known = Arc::new(Known::new(key));
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = maps.by_id.insert(known.key.id, Arc::clone(&known)) {
            known.used.fetch_max(former.used.load(Ordering::Relaxed), Ordering::Relaxed);
            maps.by_hash.remove(&former.key.hash);
        }
        maps.by_hash.insert(known.key.hash, known);
    }

    /// Takes a key out.
    pub(crate) fn remove(&self, id: KeyId) {
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = maps.by_id.remove(&id) {
            maps.by_hash.remove(&known.key.hash);
        }
    }

    /// Takes all of an account's keys out but these.
    pub(crate) fn remove_account(&self, account: &AccountId, kept: &HashSet<KeyId>) {
        let stays = |known: &Known| !is_of(&known.key, account) || kept.contains(&known.key.id);
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_hash.retain(|_, known| stays(known));
        maps.by_id.retain(|_, known| stays(known));
    }
}

fn is_of(key: &ApiKey, account: &AccountId) -> bool {
    key.role.account() == Some(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Uid;

    fn at(n: i64) -> Timestamp {
        Timestamp::from_millis(n)
    }

    fn key(n: u8, account: Option<&str>) -> ApiKey {
        let created_at = at(i64::from(n));
        let role = account.map_or(KeyRole::Provider, |id| KeyRole::Consumer(id.parse().unwrap()));
        let hash = KeyHash::of(&n.to_string());
        let id = KeyId(Uid::new(created_at, 0));
        let access = Access::Full;
        ApiKey { id, role, access, name: None, hash, created_at, expires_at: None, last_used_at: None }
    }

    #[test]
    fn finds_by_hash_and_forgets() {
        let keys = vec![key(1, None), key(2, Some("a")), key(3, Some("b")), key(4, Some("a"))];
        let keyring = Keyring::load(keys);
        assert!(keyring.has_provider(at(0)));
        assert_eq!(keyring.find(&KeyHash::of("2")).unwrap().key, key(2, Some("a")));
        assert!(keyring.find(&KeyHash::of("5")).is_none());
        keyring.remove(key(1, None).id);
        assert!(!keyring.has_provider(at(0)) && keyring.find(&KeyHash::of("1")).is_none());
        let account = "a".parse().unwrap();
        keyring.remove_account(&account, &HashSet::from([key(4, Some("a")).id]));
        assert!(keyring.find(&KeyHash::of("2")).is_none() && keyring.find(&KeyHash::of("3")).is_some());
        assert_eq!(keyring.before(None, Some(&account), 9), [key(4, Some("a"))]);
        keyring.remove_account(&account, &HashSet::new());
        assert!(keyring.find(&KeyHash::of("4")).is_none());
        assert_eq!(keyring.before(None, None, 9), [key(3, Some("b"))]);
    }

    #[test]
    fn lists_newest_first() {
        let keyring = Keyring::load((1..=5).map(|n| key(n, (n % 2 == 1).then_some("a"))).collect());
        let numbers = |keys: Vec<ApiKey>| keys.iter().map(|k| k.created_at.as_millis()).collect::<Vec<_>>();
        assert_eq!(numbers(keyring.before(None, None, 2)), [5, 4]);
        assert_eq!(numbers(keyring.before(Some(key(4, None).id), None, 9)), [3, 2, 1]);
        assert_eq!(numbers(keyring.before(None, Some(&"a".parse().unwrap()), 9)), [5, 3, 1]);
    }

    #[test]
    fn only_a_whole_key_that_has_not_ended_is_a_providers() {
        let limited = ApiKey { access: Access::Limited { emit: true, read: true }, ..key(1, None) };
        let ending = ApiKey { expires_at: Some(at(100)), ..key(2, None) };
        let keyring = Keyring::load(vec![limited, ending]);
        assert!(keyring.has_provider(at(99)) && !keyring.has_provider(at(100)));
    }

    #[test]
    fn uses_are_noted_by_the_second_and_saved_once() {
        let keyring = Keyring::load(vec![ApiKey { last_used_at: Some(at(5000)), ..key(1, None) }]);
        let id = key(1, None).id;
        let touch = |ms| keyring.get(id).unwrap().touch(at(ms));
        assert!(keyring.unsaved().is_empty());
        touch(5999);
        assert!(keyring.unsaved().is_empty());
        touch(6000);
        assert_eq!(keyring.unsaved(), [(id, at(6000))]);
        touch(8000);
        keyring.saved(&[(id, at(6000))]);
        assert_eq!(keyring.unsaved(), [(id, at(8000))], "what came meanwhile is still to be saved");
        keyring.insert(key(1, None));
        assert_eq!(keyring.before(None, None, 1)[0].last_used_at, Some(at(8000)), "a new version knows it");
        keyring.saved(&[(id, at(8000))]);
        assert!(keyring.unsaved().is_empty());
    }
}
