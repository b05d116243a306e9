//! The embedded store: the suite that every store passes, and what is this one's own.

#![expect(clippy::unwrap_used, reason = "all of it is tests: a panic is how they fail")]

mod conformance;
mod disk;
mod opening;
mod sealing;
mod wal;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use resthooks::model::{Event, EventId, Timestamp, Uid};
use resthooks::store::Batch;
use resthooks_sqlite::{Options, SqliteStore};
use tempfile::TempDir;

/// Where one test's store is.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("store.db")
    }

    fn wal_len(&self) -> u64 {
        std::fs::metadata(self.0.path().join("store.db-wal")).map_or(0, |file| file.len())
    }

    fn open(&self, options: Options) -> SqliteStore {
        SqliteStore::open(self.file(), options).unwrap()
    }
}

/// A batch of one account's events that match nothing, numbered from `from` so that none is like another.
fn batch(account: &str, from: usize, count: usize, bytes: usize) -> Arc<Batch> {
    let event = |n: usize| {
        let uid = Uid::new(Timestamp::from_millis(1), n as u128);
        Arc::new(Event {
            uid,
            id: EventId::generated(uid),
            account: account.parse().unwrap(),
            event: "contact.create".parse().unwrap(),
            created_at: Timestamp::from_millis(1),
            data: Bytes::from(vec![b'7'; bytes]),
            resource_url: None,
            order_key: None,
            debounce_key: None,
            digest: None,
            matched: Vec::new(),
        })
    };
    Arc::new(Batch { events: (from..from + count).map(event).collect(), ..Batch::default() })
}
