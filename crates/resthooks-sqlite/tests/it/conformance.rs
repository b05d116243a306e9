//! The suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use resthooks::seal::Vault;
use resthooks::store::{Error, Store};
use resthooks_sqlite::{Options, SqliteStore};
use resthooks_store_test::Place;

use crate::Folder;

#[async_trait]
impl Place for Folder {
    async fn open(&self, vault: &Arc<Vault>) -> Result<Arc<dyn Store>, Error> {
        let options = Options { vault: Some(Arc::clone(vault)), ..Options::default() };
        Ok(Arc::new(SqliteStore::open(self.file(), options)?))
    }
}

resthooks_store_test::suite!(Folder::new);
