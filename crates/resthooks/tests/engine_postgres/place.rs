//! Where the store under test is: in a PostgreSQL schema of its own.

use std::sync::Arc;
use std::time::Duration;

use resthooks::store::Store;
use resthooks_postgres::PostgresStore;

use crate::schema::Schema;

/// One test's store. Removed when the test ends.
pub(crate) struct Place(Schema);

/// It, open.
pub(crate) struct Opened(Arc<PostgresStore>);

impl Place {
    /// How long a lease runs: longer than any turn of a test's clock. Else it would be over with the turn, and so would be
    /// the time in which it may be lengthened.
    pub(crate) const LEASE: Duration = Duration::from_secs(30 * 24 * 3600);

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
