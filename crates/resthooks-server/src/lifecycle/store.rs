//! A store of either kind, opened and closed as its settings say. What kind it is matters nowhere else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use resthooks::seal::Vault;
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
                let opened = PostgresStore::open(url, postgres_options(settings)).await;
                Ok(Self::Postgres(Arc::new(opened.map_err(named)?)))
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
        let store = SqliteStore::open(path, Self::sqlite_options(settings)).map_err(named)?;
        Ok(Self::Sqlite(Arc::new(store)))
    }

    /// How a SQLite file is used.
    pub(crate) fn sqlite_options(settings: &Settings) -> resthooks_sqlite::Options {
        resthooks_sqlite::Options {
            vault: vault(settings),
            key_file: settings.secret_key_file.clone(),
            ..resthooks_sqlite::Options::default()
        }
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
        key_file: Some(settings.key_file()),
        clock: Arc::clone(&settings.engine.clock),
        ..resthooks_postgres::Options::default()
    }
}

/// The keys that were given as such; `None` leaves it to the key file.
fn vault(settings: &Settings) -> Option<Arc<Vault>> {
    let (first, others) = settings.secret_keys.split_first()?;
    Some(Arc::new(Vault::new(first, others)))
}

/// The key file, when there is none yet and the store will make it.
pub(crate) fn key_file_to_make(settings: &Settings) -> Option<PathBuf> {
    let path = settings.key_file();
    (settings.secret_keys.is_empty() && !path.exists()).then_some(path)
}

/// A refusal for the sake of a key says by which settings one is given: the stores know of none.
pub(crate) fn named(error: Error) -> Error {
    match error {
        Error::Unusable(why) if why.contains("secret key") || why.starts_with("the key file ") => {
            Error::Unusable(format!("{why} (--secret-key, --secret-key-file)"))
        }
        other => other,
    }
}
