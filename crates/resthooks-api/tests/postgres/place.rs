//! Where the store under test is: in a PostgreSQL schema of its own.

use std::sync::Arc;

use resthooks::store::Store;

use crate::schema::Schema;

/// One test's store. Removed when the test ends.
pub(crate) struct Place(Schema);

impl Place {
    pub(crate) fn new() -> Self {
        Self(Schema::new())
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.open().await)
    }
}
