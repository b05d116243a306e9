//! Where one test's store is: a schema of its own in the database that a variable of the environment names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use resthooks::seal::Vault;
use resthooks::store::Error;
use resthooks_postgres::{Options, PostgresStore};
use tokio_postgres::{Client, NoTls};

const VARIABLE: &str = "RESTHOOKS_TEST_POSTGRES";

/// A schema that goes with the test.
pub(crate) struct Schema {
    pub(crate) name: String,
    /// What its secrets are sealed with, unless a test says otherwise.
    vault: Arc<Vault>,
}

/// The database, of which the tests need to be a superuser.
pub(crate) fn url() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{VARIABLE} is not set. It names a database to test in, such as postgres://postgres@127.0.0.1:5432/postgres, \
             as a superuser; ./test.sh starts a server of its own and sets it"
        )
    })
}

impl Schema {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let n = MADE.fetch_add(1, Ordering::Relaxed);
        // Needs quoting, so that a name that is written without is noticed.
        Self { name: format!("Test-{}-{n}", std::process::id()), vault: Arc::new(Vault::ephemeral()) }
    }

    pub(crate) fn options(&self) -> Options {
        let vault = Some(Arc::clone(&self.vault));
        Options { schema: self.name.clone(), pool_size: 4, vault, ..Options::default() }
    }

    pub(crate) async fn open(&self) -> PostgresStore {
        self.try_open(self.options()).await.unwrap()
    }

    pub(crate) async fn try_open(&self, options: Options) -> Result<PostgresStore, Error> {
        PostgresStore::open(&url(), options).await
    }

    /// A connection past the store, in this schema.
    pub(crate) async fn client(&self) -> Client {
        Self::client_of(&self.name).await
    }

    /// The same for a schema that somebody else has.
    pub(crate) async fn client_of(name: &str) -> Client {
        let client = connect().await;
        client.batch_execute(&format!("SET search_path = \"{name}\"")).await.unwrap();
        client
    }
}

/// A connection past every store.
pub(crate) async fn connect() -> Client {
    let (client, connection) = tokio_postgres::connect(&url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Drop for Schema {
    fn drop(&mut self) {
        let drop = format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { connect().await.batch_execute(&drop).await })
        });
        // A test that has failed already is told of that, not of this.
        let dropped = dropping.join();
        assert!(std::thread::panicking() || matches!(dropped, Ok(Ok(()))), "{dropped:?}");
    }
}
