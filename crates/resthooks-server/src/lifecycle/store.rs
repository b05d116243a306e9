//! A store of either kind, opened and closed as its settings say. What kind it is matters nowhere else.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use resthooks::model::KeyHash;
use resthooks::seal::{SecretKey, Vault};
use resthooks::store::{Error, Store};
use resthooks_postgres::PostgresStore;
use resthooks_sqlite::SqliteStore;

use crate::settings::{Settings, StoreAt};

/// An open store.
#[derive(Debug, Clone)]
pub(crate) enum OpenStore {
    /// In a file of its own.
    Sqlite(Arc<SqliteStore>),
    /// In a database that others may work on as well.
    Postgres(Arc<PostgresStore>),
}

impl OpenStore {
    /// Opens the store that the settings name, and makes it when it is not there.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Error> {
        match &settings.store {
            StoreAt::File(path) => Self::open_file(settings, path),
            StoreAt::Postgres(url) => {
                let options = postgres_options(settings);
                Ok(Self::Postgres(Arc::new(PostgresStore::open(url, options).await?)))
            }
        }
    }

    /// Opens the store for a command that does not serve. Nothing is made in it: a mistyped name is likelier than
    /// something to do before the first start.
    pub(crate) async fn open_existing(settings: &Settings) -> anyhow::Result<Self> {
        match &settings.store {
            StoreAt::File(path) if !path.exists() => {
                bail!("--store: there is no {}: it is made by the first start of the server", path.display());
            }
            StoreAt::File(path) => Self::open_file(settings, path)
                .context("if its server is running, give its address with --url"),
            StoreAt::Postgres(_) => {
                let settings = Settings { migrate: false, ..settings.clone() };
                Ok(Self::open(&settings).await?)
            }
        }
    }

    fn open_file(settings: &Settings, path: &Path) -> Result<Self, Error> {
        let store = SqliteStore::open(path, Self::sqlite_options(settings))?;
        Ok(Self::Sqlite(Arc::new(store)))
    }

    /// How a SQLite file is used.
    pub(crate) fn sqlite_options(settings: &Settings) -> resthooks_sqlite::Options {
        resthooks_sqlite::Options { vault: vault(settings), ..resthooks_sqlite::Options::default() }
    }

    /// The store, whatever its kind.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as _,
            Self::Postgres(store) => Arc::clone(store) as _,
        }
    }

    /// Finishes what was asked of it and closes it.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        match self {
            Self::Sqlite(store) => tokio::task::block_in_place(|| store.close()),
            Self::Postgres(store) => {
                store.close().await;
                Ok(())
            }
        }
    }
}

/// How a PostgreSQL database is used.
pub(crate) fn postgres_options(settings: &Settings) -> resthooks_postgres::Options {
    resthooks_postgres::Options {
        schema: settings.schema.clone(),
        migrate: settings.migrate,
        vault: vault(settings),
        clock: Arc::clone(&settings.engine.clock),
        ..resthooks_postgres::Options::default()
    }
}

/// What secrets are sealed with; `None` leaves it to the store.
fn vault(settings: &Settings) -> Option<Arc<Vault>> {
    // Until there is a setting for it.
    match &settings.store {
        StoreAt::File(_) => None,
        StoreAt::Postgres(_) => {
            let digits: String =
                KeyHash::of(&settings.schema).0.iter().map(|byte| format!("{byte:02x}")).collect();
            digits.parse().ok().map(|key: SecretKey| Arc::new(Vault::new(&key, &[])))
        }
    }
}
