//! What every part of a run has in common: the binary, the words of the command, and PostgreSQL when it is the store.

use crate::options::{Options, Store};
use crate::postgres::Cluster;
use crate::server::{Binary, Nodes};

/// The run's surroundings.
#[derive(Debug)]
pub(crate) struct Setup {
    pub options: Options,
    pub binary: Binary,
    /// Runs for as long as the run does; each store has a database of its own in it.
    pub postgres: Option<Cluster>,
}

impl Setup {
    /// Finds the binary, and starts PostgreSQL if it is wanted.
    pub(crate) fn new(options: Options) -> anyhow::Result<Self> {
        let binary = Binary::find(options.server.as_deref())?;
        let postgres = match options.store {
            Store::Sqlite => None,
            Store::Postgres => Some(Cluster::start(&options)?),
        };
        Ok(Self { options, binary, postgres })
    }

    /// So many nodes on an empty store.
    pub(crate) fn start(&self, nodes: u32) -> anyhow::Result<Nodes<'_>> {
        Nodes::start(self, nodes)
    }

    /// The store that is measured, with its version.
    pub(crate) fn store(&self) -> &str {
        self.postgres.as_ref().map_or("SQLite", |postgres| &postgres.version)
    }
}
