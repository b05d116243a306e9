//! One connection for questions that are not measured, each waited for.

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

/// A connection, and the thread's runtime that drives it while something is asked.
#[derive(Debug)]
pub(crate) struct Session {
    runtime: Runtime,
    client: Client,
}

impl Session {
    pub(crate) fn open(url: &str) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let config: Config = url.parse()?;
        let (client, connection) = runtime.block_on(config.connect(NoTls))?;
        // It ends with the client; how it ends shows in what is asked next.
        runtime.spawn(async move { drop(connection.await) });
        Ok(Self { runtime, client })
    }

    /// Statements that answer nothing.
    pub(crate) fn run(&self, sql: &str) -> anyhow::Result<()> {
        self.runtime.block_on(self.client.batch_execute(sql)).with_context(|| sql.to_owned())
    }

    /// A query's rows.
    pub(crate) fn rows(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> anyhow::Result<Vec<Row>> {
        self.runtime.block_on(self.client.query(sql, parameters)).with_context(|| sql.to_owned())
    }

    /// A query's only row.
    pub(crate) fn row(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> anyhow::Result<Row> {
        self.runtime.block_on(self.client.query_one(sql, parameters)).with_context(|| sql.to_owned())
    }
}
