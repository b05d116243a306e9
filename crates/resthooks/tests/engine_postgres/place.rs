//! Where the store under test is: in a PostgreSQL schema of its own.

use std::sync::Arc;

use resthooks::store::Store;
use resthooks_postgres::PostgresStore;

use crate::schema::Schema;

/// One test's store. Removed when the test ends.
pub(crate) struct Place(Schema);

/// It, open.
pub(crate) struct Opened(Arc<PostgresStore>);

impl Place {
    pub(crate) fn new() -> Self {
        Self(Schema::new())
    }

    pub(crate) async fn open(&self) -> Opened {
        Opened(Arc::new(self.0.open().await))
    }
}

impl Opened {
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0) as _
    }

    pub(crate) async fn close(self) {
        self.0.close().await;
    }
}
