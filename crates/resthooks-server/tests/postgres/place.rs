//! Where the store under test is: in a schema of its own, in the PostgreSQL database that the tests share.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::Setup;

/// Names the database.
const VARIABLE: &str = "RESTHOOKS_TEST_POSTGRES";

/// A test makes up for a crash by another start: that one waits as long for what the one before left.
const LEASE: &str = "--node-lease=1s";

/// One test's store, and the directory in which its program runs.
#[derive(Debug)]
pub(crate) struct Home {
    dir: tempfile::TempDir,
    schema: Schema,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), schema: Schema::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The flags by which a server finds it.
    pub(crate) fn flags(&self) -> [String; 3] {
        [format!("--store={}", self.schema.url), format!("--schema={}", self.schema.name), LEASE.to_owned()]
    }

    /// What a server that starts says of it.
    pub(crate) fn greeting(&self) -> String {
        let (user, host) = self.schema.url.rsplit_once('@').unwrap_or((&self.schema.url, ""));
        let user = user
            .rsplit_once(':')
            .filter(|(name, _)| name.contains("://"))
            .map_or(user.to_owned(), |(name, _)| format!("{name}:********"));
        format!("store: {user}@{host}, schema {}", self.schema.name)
    }
}

impl Setup {
    /// Development mode, any free port, and a schema that goes with the last copy of this.
    pub(crate) fn new() -> Self {
        let schema = Schema::new();
        Self::on(&schema.url).flag(format!("--schema={}", schema.name)).flag(LEASE).keeping(Arc::new(schema))
    }
}

/// A schema that goes when it is dropped.
#[derive(Debug)]
struct Schema {
    url: String,
    name: String,
}

impl Schema {
    fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let url = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!(
                "{VARIABLE} must be the URL of a superuser on a PostgreSQL database. ./test.sh starts a server, and so \
                 does `scripts/postgres.sh start DIR`, which prints it."
            )
        });
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        Self { url, name: format!("test_server_{}_{made}", std::process::id()) }
    }

    async fn remove(url: String, name: String) -> Result<(), tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
        let talking = tokio::spawn(connection);
        client.batch_execute(&format!("DROP SCHEMA IF EXISTS \"{name}\" CASCADE")).await?;
        drop(client);
        talking.await.unwrap_or(Ok(()))
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // On a thread of its own: a test may have a runtime already.
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(Self::remove(url, name)).map_err(std::io::Error::other)
        });
        // A server that the test has stopped takes its schemas with it.
        drop(removing.join());
    }
}

/// All that is of the store: every row of every table, as text.
pub(crate) fn store_as_it_lies(setup: &Setup) -> Vec<(String, Vec<u8>)> {
    let flags = setup.store_flags();
    let [url, schema] = ["--store=", "--schema="]
        .map(|name| flags.iter().find_map(|flag| flag.strip_prefix(name)).unwrap().to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        // Partitions are tables, too; what they are parts of would show their rows again.
        let tables = "SELECT c.oid::regclass::text, c.relname FROM pg_class c \
                      WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'r'";
        let mut all = Vec::new();
        for table in client.query(tables, &[&schema]).await.unwrap() {
            let (table, name): (String, String) = (table.get(0), table.get(1));
            let rows = client.query(&format!("SELECT t::text FROM {table} t"), &[]).await.unwrap();
            let text: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            if !text.is_empty() {
                all.push((format!("the store's {name}"), text.join("\n").into_bytes()));
            }
        }
        assert!(all.iter().any(|(place, _)| place == "the store's subscription"), "{all:?}");
        all
    })
}
