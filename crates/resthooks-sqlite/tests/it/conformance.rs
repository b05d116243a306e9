//! The suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use resthooks::store::Store;
use resthooks_sqlite::Options;
use resthooks_store_test::Place;

use crate::Folder;

#[async_trait]
impl Place for Folder {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(Self::open(self, Options::default()))
    }
}

resthooks_store_test::suite!(Folder::new);
