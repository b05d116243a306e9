//! Where the store under test is: in a file of its own.

use std::sync::Arc;
use std::time::Duration;

use resthooks::store::Store;
use resthooks_sqlite::{Options, SqliteStore};
use tempfile::TempDir;

/// One test's store. Removed when the test ends.
pub(crate) struct Place(TempDir);

impl Place {
    /// How long a lease runs: nobody shares this store.
    pub(crate) const LEASE: Duration = Duration::from_secs(10);

    /// In memory where there is such a place: nothing here is about what survives a power cut.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    #[expect(clippy::unused_async, reason = "another store is not opened at once")]
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.0.path().join("store.db"), Options::default()).unwrap())
    }
}
