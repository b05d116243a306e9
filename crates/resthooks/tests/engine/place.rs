//! Where the store under test is: in a file of its own.

use std::sync::Arc;
use std::time::Duration;

use resthooks::store::Store;
use resthooks_sqlite::{Options, SqliteStore};
use tempfile::TempDir;

/// One test's store. Removed when the test ends.
pub(crate) struct Place(TempDir);

/// It, open.
pub(crate) struct Opened(Arc<SqliteStore>);

impl Place {
    /// How long a lease runs: nobody shares this store.
    pub(crate) const LEASE: Duration = Duration::from_secs(10);

    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    #[expect(clippy::unused_async, reason = "another store is not opened at once")]
    pub(crate) async fn open(&self) -> Opened {
        let store = SqliteStore::open(self.0.path().join("hooks.db"), Options::default()).unwrap();
        Opened(Arc::new(store))
    }
}

impl Opened {
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0) as _
    }

    #[expect(clippy::unused_async, reason = "another store is not closed at once")]
    pub(crate) async fn close(self) {
        self.0.close().unwrap();
    }
}
