//! The writer: who goes and who stays, what shares a transaction and what is undone alone.

use std::sync::Arc;
use std::time::Duration;

use resthooks::model::{ApiKey, EventSeq, KeyHash, KeyId, KeyRole, NodeNo, Timestamp, Uid};
use resthooks::store::{Control as _, Error, EventFilter, History as _, Log as _, Page};
use resthooks_sqlite::{Options, SqliteStore};

use crate::{Folder, batch};

/// What was asked for happens although nobody waits for the answer any more.
#[tokio::test]
async fn a_commit_outlives_its_asker() {
    let folder = Folder::new();
    let store = folder.open(Options::default());
    for n in 0..10 {
        // Polled once, then dropped.
        let _ = tokio::time::timeout(Duration::ZERO, store.commit(batch("a", n, 1, 10))).await;
    }
    assert_eq!(store.commit(batch("a", 10, 1, 10)).await.unwrap().numbers[0], EventSeq(11));
}

/// Closing finishes what was asked for and refuses the rest.
#[tokio::test]
async fn closing_finishes_what_was_asked_for() {
    let folder = Folder::new();
    let store = folder.open(Options::default());
    for n in 0..100 {
        let _ = tokio::time::timeout(Duration::ZERO, store.commit(batch("a", n, 1, 10))).await;
    }
    store.close().unwrap();
    let late = store.commit(batch("a", 100, 1, 10)).await;
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    let read = store.position(NodeNo(1)).await;
    assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
    let again = folder.open(Options::default());
    assert_eq!(again.position(NodeNo(1)).await.unwrap().last, EventSeq(100));
}

/// A process that ends without closing: everything that was answered is there.
#[tokio::test]
async fn what_was_answered_is_there_without_closing() {
    let folder = Folder::new();
    let store = folder.open(Options::default());
    store.commit(batch("a", 0, 50, 100)).await.unwrap();
    let copy = Folder::new();
    for name in ["store.db", "store.db-wal", "store.db.key"] {
        std::fs::copy(folder.0.path().join(name), copy.0.path().join(name)).unwrap();
    }
    let found = copy.open(Options::default());
    assert_eq!(found.position(NodeNo(1)).await.unwrap().last, EventSeq(50));
    let page = Page { after: None, limit: 100 };
    assert_eq!(found.list_events(&EventFilter::default(), page).await.unwrap().len(), 50);
}

fn key(n: u128) -> ApiKey {
    let id = KeyId(Uid::new(Timestamp::from_millis(1), n));
    let hash = KeyHash::of(&n.to_string());
    ApiKey {
        id,
        role: KeyRole::Consumer("k".parse().unwrap()),
        name: None,
        hash,
        access: resthooks::model::Access::Full,
        expires_at: None,
        last_used_at: None,
        created_at: Timestamp::EPOCH,
    }
}

/// Jobs that wait together share a transaction; one that fails is undone alone, and every answer is the right one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_job_takes_no_other_with_it() {
    let folder = Folder::new();
    let store: Arc<SqliteStore> = Arc::new(folder.open(Options::default()));
    store.insert_key(&key(0), None).await.unwrap();
    let tasks: Vec<_> = (0..300_usize)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                match n % 3 {
                    0 => store.commit(batch("a", n, 1, 10)).await.map(|_| ()),
                    1 => store.insert_key(&key(n as u128), None).await,
                    // The id is free, the hash is not.
                    _ => store.insert_key(&ApiKey { id: key(n as u128).id, ..key(0) }, None).await,
                }
            })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let answer = task.await.unwrap();
        assert!(
            if n % 3 == 2 { matches!(answer, Err(Error::Exists)) } else { answer.is_ok() },
            "{n}: {answer:?}"
        );
    }
    store.close().unwrap();
    let again = folder.open(Options::default());
    assert_eq!(again.position(NodeNo(1)).await.unwrap().last, EventSeq(100));
    assert_eq!(again.snapshot().await.unwrap().keys.len(), 101);
    assert_eq!(again.account(&"k".parse().unwrap()).await.unwrap().unwrap().api_keys, 101);
}
