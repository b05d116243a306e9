//! Stores to move between, and the program that does it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use resthooks::seal::Vault;
use resthooks::store::{Error, Store};
use resthooks_postgres::PostgresStore;
use resthooks_sqlite::SqliteStore;

const VARIABLE: &str = "RESTHOOKS_TEST_POSTGRES";

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
        let options =
            resthooks_postgres::Options { schema: schema.clone(), ..resthooks_postgres::Options::default() };
        PostgresStore::open(url, options).await.unwrap()
    }

    /// The flags by which the program finds it.
    fn flags(&self) -> Vec<String> {
        match self {
            Self::Sqlite(_) => vec![format!("--store=sqlite:{}", self.file().display())],
            Self::Postgres { url, schema } => vec![format!("--store={url}"), format!("--schema={schema}")],
        }
    }

    /// The program, on this store.
    pub(crate) fn command(&self, name: &str) -> Command {
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
    /// With the keys of the file beside it, as the program opens it.
    async fn open(&self, _: &Arc<Vault>) -> Result<Arc<dyn Store>, Error> {
        Ok(Arc::new(SqliteStore::open(&self.0, resthooks_sqlite::Options::default())?))
    }
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

/// The things that are moved in an export, without what tells how far it had come.
pub(crate) fn things(export: &str) -> Vec<&str> {
    export.lines().filter(|line| !line.starts_with("{\"at\":")).collect()
}
