//! Where the store under test is: in a PostgreSQL schema of its own.

use std::sync::Arc;
use std::time::Duration;

use resthooks::store::Store;

use crate::schema::Schema;

/// One test's store. Removed when the test ends.
pub(crate) struct Place(Schema);

impl Place {
    /// How long a lease runs: longer than any turn of a test's clock. Else it would be over with the turn, and so would be
    /// the time in which it may be lengthened.
    pub(crate) const LEASE: Duration = Duration::from_secs(30 * 24 * 3600);

    pub(crate) fn new() -> Self {
        Self(Schema::new())
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.open().await)
    }
}
