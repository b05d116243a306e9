//! API keys: what they are kept with, and when they were used.

use resthooks::model::{Access, ApiKey, KeyHash, KeyId, KeyRole};
use resthooks::store::Error;

use crate::lab::{Lab, account, at};

/// A key of this role with all access, not inserted yet.
pub(crate) fn key(lab: &Lab, role: KeyRole) -> ApiKey {
    let id = KeyId(lab.uid());
    ApiKey {
        id,
        role,
        access: Access::Full,
        name: None,
        hash: KeyHash::of(&id.to_string()),
        created_at: at(4),
        expires_at: None,
        last_used_at: None,
    }
}

/// All keys, by id.
async fn keys(lab: &Lab) -> Vec<ApiKey> {
    let mut keys = lab.store().snapshot().await.unwrap().keys;
    keys.sort_by_key(|key| key.id);
    keys
}

/// Keys are kept with their role; one id is one key, and so is one hash.
pub async fn keys_are_inserted_once_and_deleted(mut lab: Lab) {
    let provider = ApiKey { name: Some("admin".to_owned()), ..key(&lab, KeyRole::Provider) };
    let consumer = key(&lab, KeyRole::Consumer(account("a")));
    let same_hash = ApiKey { hash: consumer.hash, ..key(&lab, KeyRole::Provider) };
    let same_id = ApiKey { id: provider.id, ..key(&lab, KeyRole::Provider) };
    lab.store().insert_key(&provider, None).await.unwrap();
    lab.store().insert_key(&consumer, None).await.unwrap();
    for same in [same_hash, same_id] {
        let refused = lab.store().insert_key(&same, None).await;
        assert!(matches!(refused, Err(Error::Exists)), "{refused:?}");
    }
    lab.reopen().await;
    assert_eq!(keys(&lab).await, [provider.clone(), consumer.clone()]);
    assert!(lab.store().delete_key(provider.id, None).await.unwrap());
    assert!(!lab.store().delete_key(provider.id, None).await.unwrap());
    assert_eq!(keys(&lab).await, [consumer]);
}

/// How much a key may do, when it ends and when it was used comes back as it was.
pub async fn keys_keep_what_they_may_do(mut lab: Lab) {
    let mut made = Vec::new();
    for (n, access) in [
        Access::Full,
        Access::Limited { emit: true, read: false },
        Access::Limited { emit: false, read: true },
        Access::Limited { emit: true, read: true },
        Access::Limited { emit: false, read: false },
    ]
    .into_iter()
    .enumerate()
    {
        let ends = (n % 2 == 1).then(|| at(1_000_000));
        let used = (n % 3 == 1).then(|| at(5));
        let key = ApiKey { access, expires_at: ends, last_used_at: used, ..key(&lab, KeyRole::Provider) };
        lab.store().insert_key(&key, None).await.unwrap();
        made.push(key);
    }
    lab.reopen().await;
    assert_eq!(keys(&lab).await, made);
}

/// The latest use counts, in whatever order uses are told; keys that are not there are passed over.
pub async fn the_last_use_of_keys_is_noted(mut lab: Lab) {
    let [one, two, three] = [(); 3].map(|()| key(&lab, KeyRole::Provider));
    for key in [&one, &two, &three] {
        lab.store().insert_key(key, None).await.unwrap();
    }
    let store = lab.store();
    store.touch_keys(&[]).await.unwrap();
    store.touch_keys(&[(two.id, at(7)), (KeyId(lab.uid()), at(9)), (one.id, at(5))]).await.unwrap();
    store.touch_keys(&[(two.id, at(6)), (one.id, at(6)), (one.id, at(8)), (one.id, at(4))]).await.unwrap();
    lab.reopen().await;
    let used: Vec<_> = keys(&lab).await.into_iter().map(|key| key.last_used_at).collect();
    assert_eq!(used, [Some(at(8)), Some(at(7)), None]);
}
