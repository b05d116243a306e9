//! The write-ahead log is moved into the file and does not grow without bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use resthooks::model::{EventSeq, NodeNo};
use resthooks::store::{EventFilter, History as _, Log as _, Page};
use resthooks_sqlite::Options;

use crate::{Folder, batch};

const LIMIT_KIB: u32 = 1_024;

/// Writes thirty times the bound without a pause, beside readers that are never done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stays_within_its_bound_under_constant_load() {
    let folder = Folder::new();
    let options = Options { checkpoint_kib: 128, wal_limit_kib: LIMIT_KIB, ..Options::default() };
    let store = Arc::new(folder.open(options));
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    let page = Page { after: None, limit: 250 };
                    store.list_events(&EventFilter::default(), page).await.unwrap();
                }
            })
        })
        .collect();
    let mut longest = 0;
    for n in 0..800 {
        store.commit(batch("a", n * 10, 10, 4_000)).await.unwrap();
        longest = longest.max(folder.wal_len());
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    let bound = u64::from(LIMIT_KIB) * 1_024 * 3;
    assert!(longest > 0 && longest < bound, "it was {longest} bytes long, of {bound}");
    assert_eq!(store.position(NodeNo(1)).await.unwrap().last, EventSeq(8_000));
}

#[tokio::test]
async fn nothing_of_it_is_left_after_closing() {
    let folder = Folder::new();
    let store = folder.open(Options::default());
    store.commit(batch("a", 0, 100, 1_000)).await.unwrap();
    assert!(folder.wal_len() > 0);
    store.close().unwrap();
    assert_eq!(folder.wal_len(), 0);
    assert_eq!(folder.open(Options::default()).position(NodeNo(1)).await.unwrap().last, EventSeq(100));
}
