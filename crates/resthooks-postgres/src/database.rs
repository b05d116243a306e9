//! Sends statements, each within a time limit, and tries again what may be tried again.
//!
//! Every statement is one round trip and one transaction: nothing of this process's can hold a lock while it waits,
//! sleeps or is gone. No statement is left prepared behind, so that a pooler may give each to another connection.

use std::sync::Arc;
use std::time::Duration;

use resthooks::env::Clock;
use resthooks::store::Error;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::Options;
use crate::connection::Connector;
use crate::failure::{Trouble, from_postgres};
use crate::pool::{Lent, Pool};

/// A parameter and its type.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Connections for what callers read back.
const READING: usize = 4;

/// How often a statement that met another one is tried.
const TRIES: usize = 5;

/// The way into one schema of one database.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) schema: Schema,
    pub(crate) connector: Connector,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) statement_timeout: Duration,
    /// For commits: one at a time.
    pub(crate) commits: Pool,
    /// For leases, so that one is never lost because everything else is busy.
    leases: Pool,
    rest: Pool,
    /// For what callers read back, however slow: the engine never waits behind that.
    reading: Pool,
}

/// Which connection a statement goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The one for leases.
    Lease,
    /// Those for everything.
    Any,
    /// Those for what callers read back.
    Reading,
}

impl Database {
    pub(crate) fn new(connector: Connector, options: &Options) -> Self {
        let pool =
            |size| Pool::new(connector.clone(), size, options.connect_timeout, Arc::clone(&options.clock));
        Self {
            schema: Schema::new(&options.schema),
            clock: Arc::clone(&options.clock),
            statement_timeout: options.statement_timeout,
            commits: pool(1),
            leases: pool(1),
            rest: pool(options.pool_size),
            reading: pool(READING),
            connector,
        }
    }

    /// Asks something that changes nothing.
    pub(crate) async fn read(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        self.repeat(Way::Any, sql, parameters).await
    }

    /// The same for what callers read back: lists, and single things of the past.
    pub(crate) async fn look_up(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        self.repeat(Way::Reading, sql, parameters).await
    }

    /// Does something that may as well happen twice.
    pub(crate) async fn repeat(
        &self,
        way: Way,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Error> {
        let mut lost = false;
        let mut tries = 0;
        loop {
            match self.try_once(way, sql, parameters).await {
                Err(Trouble::Again(_)) if tries < TRIES => tries += 1,
                // An open connection may lead to a server that is gone; a new one leads to the one that is there.
                Err(Trouble::Lost(_)) if !lost => lost = true,
                other => return other.map_err(Trouble::harmless),
            }
        }
    }

    /// Does something once: [`Error::InDoubt`] when it is not known whether it happened.
    pub(crate) async fn once(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        for _ in 0..TRIES {
            match self.try_once(Way::Any, sql, parameters).await {
                Err(Trouble::Again(_)) => {}
                other => return other.map_err(Trouble::told),
            }
        }
        self.try_once(Way::Any, sql, parameters).await.map_err(Trouble::told)
    }

    async fn try_once(&self, way: Way, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Trouble> {
        let pool = match way {
            Way::Lease => &self.leases,
            Way::Any => &self.rest,
            Way::Reading => &self.reading,
        };
        let lent = pool.lend().await.map_err(Trouble::Refused)?;
        self.send(lent, &self.schema.name_in(sql), parameters).await
    }

    /// Sends one statement over this connection, which is given back unless it can't be used any more.
    pub(crate) async fn send(
        &self,
        lent: Lent,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Trouble> {
        let answer = tokio::select! {
            answer = lent.client().query_typed(sql, parameters) => answer,
            () = self.clock.sleep(self.statement_timeout) => {
                // Dropping the connection asks the server to stop.
                return Err(Trouble::Lost("the database did not answer in time".to_owned()));
            }
        };
        match answer {
            Ok(rows) => {
                lent.give_back();
                Ok(rows)
            }
            Err(error) => {
                let trouble = from_postgres(&error);
                match trouble {
                    Trouble::Lost(_) => lent.discard(),
                    Trouble::Elsewhere(_) => {
                        lent.discard();
                        self.forget();
                    }
                    _ => lent.give_back(),
                }
                Err(trouble)
            }
        }
    }

    /// Connects anew for whatever comes next.
    fn forget(&self) {
        for pool in [&self.commits, &self.leases, &self.rest, &self.reading] {
            pool.forget();
        }
    }

    /// Sends nothing more.
    pub(crate) fn close(&self) {
        for pool in [&self.commits, &self.leases, &self.rest, &self.reading] {
            pool.close();
        }
    }
}

/// The schema in which everything is.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    /// As it is named.
    pub(crate) name: String,
    /// As it is written in SQL.
    pub(crate) quoted: String,
}

impl Schema {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), quoted: format!("\"{}\"", name.replace('"', "\"\"")) }
    }

    /// A statement in which the schema is written as `@`.
    pub(crate) fn name_in(&self, sql: &str) -> String {
        sql.replace("@.", &format!("{}.", self.quoted))
    }
}
