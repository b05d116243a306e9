//! Moving everything out of this store and into it. Mirrors the interface's `transfer`.
//!
//! A page of an export is read in a few statements, and the store may change between two of them: whoever wants all of one
//! moment stops its nodes first. Each step of an import is one call, one transaction.

mod columns;
mod export;
mod import;

use async_trait::async_trait;
use resthooks::store::Error;
use resthooks::store::transfer::{Cursor, Item, Transfer};

use crate::PostgresStore;
use crate::database::Way;
use crate::event_row::get;

#[async_trait]
impl Transfer for PostgresStore {
    async fn export(&self, after: &Cursor, limit: usize) -> Result<Vec<(Item, Cursor)>, Error> {
        export::page(self.database(), self.vault(), after, limit).await
    }

    async fn import(&self, items: Vec<Item>) -> Result<usize, Error> {
        import::all(self.database(), self.vault(), items).await
    }

    async fn end_import(&self) -> Result<(), Error> {
        self.database().repeat(Way::Any, "SELECT @.end_import()", &[]).await.map(drop)
    }

    async fn hindrances(&self) -> Result<Vec<String>, Error> {
        let rows = self.database().read("SELECT * FROM @.export_hindrances() AS why", &[]).await?;
        rows.iter().map(|row| get(row, "why")).collect()
    }
}
