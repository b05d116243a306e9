//! Moving everything out of this store and into it. Mirrors the interface's `transfer`.
//!
//! A page of an export is read in one state of the file; a call of an import is one transaction of the writer's.

mod export;
mod import;

use std::sync::Arc;

use async_trait::async_trait;
use resthooks::store::Error;
use resthooks::store::transfer::{Cursor, Item, Transfer};

use crate::SqliteStore;

#[async_trait]
impl Transfer for SqliteStore {
    async fn export(&self, after: &Cursor, limit: usize) -> Result<Vec<(Item, Cursor)>, Error> {
        let after = after.clone();
        let vault = Arc::clone(self.vault());
        self.readers().ask(move |connection| export::page(connection, &vault, &after, limit)).await
    }

    async fn import(&self, items: Vec<Item>) -> Result<usize, Error> {
        self.writer().ask(move |work| import::all(work, items)).await
    }

    /// The next start looks at what is above the watermark.
    async fn end_import(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Nobody else has the file open.
    async fn hindrances(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}
