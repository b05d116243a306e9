//! The API keys in memory, by hash.
//!
//! Written by the control plane after the store has the change; read with every authenticated request. A key is
//! looked up by its SHA-256, so that how long a lookup takes says nothing of any key.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::{AccountId, ApiKey, KeyHash, KeyId, KeyRole};

#[derive(Debug, Default)]
struct Maps {
    by_hash: HashMap<KeyHash, Arc<ApiKey>>,
    by_id: BTreeMap<KeyId, Arc<ApiKey>>,
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
    pub(crate) fn find(&self, hash: &KeyHash) -> Option<Arc<ApiKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_hash.get(hash).map(Arc::clone)
    }

    /// The key with this id.
    pub(crate) fn get(&self, id: KeyId) -> Option<Arc<ApiKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).map(Arc::clone)
    }

    /// Whether any provider's key is there.
    pub(crate) fn has_provider(&self) -> bool {
        let maps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        maps.by_hash.values().any(|key| key.role == KeyRole::Provider)
    }

    /// Up to `limit` keys made before this one, of one account or all, newest first.
    pub(crate) fn before(&self, id: Option<KeyId>, account: Option<&AccountId>, limit: usize) -> Vec<ApiKey> {
        let end = id.map_or(Bound::Unbounded, Bound::Excluded);
        let maps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let keys = maps.by_id.range((Bound::Unbounded, end)).rev().map(|(_, key)| key);
        keys.filter(|key| account.is_none_or(|account| is_of(key, account)))
            .take(limit)
            .map(|key| ApiKey::clone(key))
            .collect()
    }

    /// Adds a key.
    pub(crate) fn insert(&self, key: ApiKey) {
        let key = Arc::new(key);
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_hash.insert(key.hash, Arc::clone(&key));
        maps.by_id.insert(key.id, key);
    }

    /// Takes a key out.
    pub(crate) fn remove(&self, id: KeyId) {
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = maps.by_id.remove(&id) {
            maps.by_hash.remove(&key.hash);
        }
    }

    /// Takes all of an account's keys out but these.
    pub(crate) fn remove_account(&self, account: &AccountId, kept: &HashSet<KeyId>) {
        let stays = |key: &ApiKey| !is_of(key, account) || kept.contains(&key.id);
        let mut maps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_hash.retain(|_, key| stays(key));
        maps.by_id.retain(|_, key| stays(key));
    }
}

fn is_of(key: &ApiKey, account: &AccountId) -> bool {
    matches!(&key.role, KeyRole::Consumer(own) if own == account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, Uid};

    fn key(n: u8, account: Option<&str>) -> ApiKey {
        let at = Timestamp::from_millis(i64::from(n));
        let role = account.map_or(KeyRole::Provider, |id| KeyRole::Consumer(id.parse().unwrap()));
        let hash = KeyHash::of(&n.to_string());
        let access = crate::model::Access::Full;
        let id = KeyId(Uid::new(at, 0));
        ApiKey { id, role, access, name: None, hash, created_at: at, expires_at: None, last_used_at: None }
    }

    #[test]
    fn finds_by_hash_and_forgets() {
        let keys = vec![key(1, None), key(2, Some("a")), key(3, Some("b")), key(4, Some("a"))];
        let keyring = Keyring::load(keys);
        assert!(keyring.has_provider());
        assert_eq!(*keyring.find(&KeyHash::of("2")).unwrap(), key(2, Some("a")));
        assert_eq!(keyring.find(&KeyHash::of("5")), None);
        keyring.remove(key(1, None).id);
        assert!(!keyring.has_provider() && keyring.find(&KeyHash::of("1")).is_none());
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
}
