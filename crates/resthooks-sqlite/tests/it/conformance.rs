//! The suite that every store passes.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use resthooks::store::Store;
use resthooks_sqlite::{Options, SqliteStore};
use resthooks_store_test::Place;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn file(&self) -> PathBuf {
        self.0.path().join("store.db")
    }
}

#[async_trait]
impl Place for Folder {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.file(), Options::default()).expect("the store opens"))
    }
}

fn fresh() -> Folder {
    Folder(tempfile::tempdir().expect("a folder for the test"))
}

resthooks_store_test::suite!(fresh);
