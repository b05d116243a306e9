//! Stores to move between, and the program that does it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use resthooks::seal::{SecretKey, Vault};
use resthooks::store::coding::open_subscription;
use resthooks::store::transfer::Item;
use resthooks::store::{Error, Store};
use resthooks_postgres::PostgresStore;
use resthooks_sqlite::SqliteStore;

const VARIABLE: &str = "RESTHOOKS_TEST_POSTGRES";

/// What SQLite stores seal with …
pub(crate) const OF_SQLITE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// … and those in PostgreSQL.
pub(crate) const OF_POSTGRES: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f";

/// Seals as a store of one kind does, and opens what either has sealed.
fn vault(first: &str, other: &str) -> Arc<Vault> {
    let key = |digits: &str| digits.parse::<SecretKey>().unwrap();
    Arc::new(Vault::new(&key(first), &[key(other)]))
}

/// A store that goes with the test.
pub(crate) enum Place {
    /// In a file.
    Sqlite(tempfile::TempDir),
    /// In a schema.
    Postgres { url: String, schema: String },
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let url = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!(
                "{VARIABLE} must be the URL of a superuser on a PostgreSQL database. ./test.sh starts a server, and so \
                 does `scripts/postgres.sh start DIR`, which prints it."
            )
        });
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        Self::Postgres { url, schema: format!("test_moving_{}_{made}", std::process::id()) }
    }

    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite(dir) => dir.path().join("store.db"),
            Self::Postgres { .. } => panic!("it is no file"),
        }
    }

    pub(crate) async fn open_postgres(&self) -> PostgresStore {
        let Self::Postgres { url, schema } = self else { panic!("it is a file") };
        let options = resthooks_postgres::Options {
            schema: schema.clone(),
            vault: Some(vault(OF_POSTGRES, OF_SQLITE)),
            ..resthooks_postgres::Options::default()
        };
        PostgresStore::open(url, options).await.unwrap()
    }

    /// The flags by which the program finds it.
    fn flags(&self) -> Vec<String> {
        match self {
            Self::Sqlite(_) => vec![format!("--store=sqlite:{}", self.file().display())],
            Self::Postgres { url, schema } => vec![format!("--store={url}"), format!("--schema={schema}")],
        }
    }

    /// The program, on this store, with its key and that of the other kind.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = self.keyless(name);
        command.arg(match self {
            Self::Sqlite(_) => format!("--secret-key={OF_SQLITE},{OF_POSTGRES}"),
            Self::Postgres { .. } => format!("--secret-key={OF_POSTGRES},{OF_SQLITE}"),
        });
        command
    }

    /// The program, on this store, with no word of keys.
    pub(crate) fn keyless(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resthooks"));
        command.arg(name).args(self.flags()).stdin(Stdio::null());
        command
    }

    /// Everything in it, as lines.
    pub(crate) fn export(&self) -> String {
        let output = done(self.command("export").output().unwrap());
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn import(&self, file: &Path) -> Output {
        self.command("import").arg("--input").arg(file).output().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self::Postgres { url, schema } = self else { return };
        let (url, sql) = (url.clone(), format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE"));
        // On a thread of its own: the test may have a runtime already.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, connection) =
                    tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                client.batch_execute(&sql).await
            })
        });
        let dropped = dropping.join();
        assert!(std::thread::panicking() || matches!(dropped, Ok(Ok(()))), "{dropped:?}");
    }
}

/// For the suite's makers.
pub(crate) struct File(pub(crate) PathBuf);

#[async_trait::async_trait]
impl resthooks_store_test::lab::Place for File {
    /// With the keys that the program is given.
    async fn open(&self, _: &Arc<Vault>) -> Result<Arc<dyn Store>, Error> {
        Ok(Arc::new(open_sqlite(&self.0)))
    }
}

/// A SQLite store with the keys that the program is given.
pub(crate) fn open_sqlite(file: &Path) -> SqliteStore {
    let vault = Some(vault(OF_SQLITE, OF_POSTGRES));
    let options = resthooks_sqlite::Options { vault, ..resthooks_sqlite::Options::default() };
    SqliteStore::open(file, options).unwrap()
}

/// What a run printed that succeeded.
pub(crate) fn done(output: Output) -> Output {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What a run said that did not.
pub(crate) fn failed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The things that are moved in an export, without what tells how far it had come, and with what is sealed in it opened:
/// each store seals it with its own key.
pub(crate) fn things(export: &str) -> Vec<String> {
    let vault = vault(OF_SQLITE, OF_POSTGRES);
    let open = |line: &str| {
        let Ok(Item::Subscription(mut moved)) = serde_json::from_str(line) else { return line.to_owned() };
        assert!(moved.document.get("sealed").is_some(), "{line}");
        let opened = open_subscription(&moved.document.to_string(), &vault).unwrap();
        moved.document = serde_json::to_value(opened).unwrap();
        serde_json::to_string(&moved).unwrap()
    };
    export.lines().filter(|line| !line.starts_with("{\"at\":")).map(open).collect()
}
