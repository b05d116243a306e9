//! `resthooks export` and `resthooks import`: everything that a store holds, from one to another of whatever kind.
//!
//! A file has a line that says what it is, a line for each thing that moves, now and then one that says how far the export
//! had come, and a last one with what there should have been. What a line holds is the store's; here are the files.

mod export;
mod file;
mod import;

use std::sync::Arc;

use resthooks::store::transfer::Transfer;
use resthooks_postgres::PostgresStore;
use resthooks_sqlite::SqliteStore;

pub(super) use export::Export;
pub(super) use import::Import;

use crate::lifecycle::{OpenStore, named, postgres_options};
use crate::settings::{Settings, StoreAt};

/// A store that something moves out of or into.
enum Place {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl Place {
    async fn open(settings: &Settings, must_exist: bool) -> anyhow::Result<Self> {
        match &settings.store {
            StoreAt::File(path) if must_exist && !path.exists() => {
                anyhow::bail!("--store: there is no {}", path.display());
            }
            StoreAt::File(path) => {
                let store = SqliteStore::open(path, OpenStore::sqlite_options(settings));
                Ok(Self::Sqlite(Arc::new(store.map_err(|error| match named(error) {
                    error if error.to_string().contains(" is in use by ") => {
                        anyhow::anyhow!("{error}: everything moves only while no server has it open")
                    }
                    error => error.into(),
                })?)))
            }
            StoreAt::Postgres(url) => {
                let mut options = postgres_options(settings);
                options.migrate &= !must_exist;
                Ok(Self::Postgres(Arc::new(PostgresStore::open(url, options).await.map_err(named)?)))
            }
        }
    }

    fn transfer(&self) -> Arc<dyn Transfer> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as _,
            Self::Postgres(store) => Arc::clone(store) as _,
        }
    }

    /// Closes it whatever came of the work on it; the work's result, or else what went wrong with closing.
    async fn close_after<T>(self, done: anyhow::Result<T>) -> anyhow::Result<T> {
        let closed = match &self {
            Self::Sqlite(store) => tokio::task::block_in_place(|| store.close()),
            Self::Postgres(store) => {
                store.close().await;
                Ok(())
            }
        };
        let done = done?;
        closed?;
        Ok(done)
    }
}
