//! Tables of the application's that emit by themselves: when a statement creates, updates or deletes rows, a trigger emits
//! an event for each, in the transaction that the statement belongs to.
//!
//! The triggers are written by functions in the schema (`sql/watch.sql`), which also put them right when a table's columns
//! change. This module calls those functions, on connections of its own; it never looks into the tables.

mod session;

use resthooks::store::Error;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::PostgresStore;
use crate::database::Schema;
use crate::event_row::{get, time};
use resthooks::model::Timestamp;
use session::Session;

/// How a table is to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The table as SQL names it: with its schema unless that is in the search path, in quotes where needed.
    pub table: String,
    /// What its events' names begin with: `contact` for `contact.create`, `contact.update`, `contact.delete`.
    pub event_prefix: String,
    /// The column that says whose a row is.
    pub account_column: String,
    /// The columns that go into the data, and whose change is an update; all of them when absent. Those that identify
    /// a row always do.
    pub columns: Option<Vec<String>>,
    /// The column that identifies a row, which needs a unique index; the primary key when absent.
    pub id_column: Option<String>,
}

/// A table that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The table, with its schema.
    pub table: String,
    /// What its events' names begin with.
    pub event_prefix: String,
    /// The column that says whose a row is.
    pub account_column: String,
    /// The watched columns; all of them when absent.
    pub columns: Option<Vec<String>>,
    /// The columns that identify a row.
    pub id_columns: Vec<String>,
    /// Since when, in this way.
    pub since: Timestamp,
    /// Why it emits nothing, or less than it should.
    pub trouble: Option<String>,
}

const WATCHED: &str = "SELECT * FROM @.watched()";
const WATCH: &str = "SELECT @.watch(to_regclass($1), $2, $3, $4, $5) AS replaced";
const WATCH_SCRIPT: &str = "SELECT @.watch_script(to_regclass($1), $2, $3, $4, $5) AS script";
const UNWATCH: &str = "SELECT @.unwatch($1, to_regclass($1))";
const UNWATCH_SCRIPT: &str = "SELECT @.unwatch_script($1, to_regclass($1)) AS script";

impl PostgresStore {
    /// Watches a table from now on; when it was watched already, from now on in this way. Answers whether it was.
    ///
    /// # Errors
    /// [`Error::Unusable`] when it can't be watched, with the reason; [`Error::Unavailable`] when the table is in use
    /// for longer than some seconds.
    pub async fn watch(&self, watch: &Watch) -> Result<bool, Error> {
        let session = self.session().await?;
        let rows = session.ask(WATCH, &parameters(watch)).await?;
        get(one(&rows)?, "replaced")
    }

    /// The SQL by which a table is watched. Changes nothing.
    ///
    /// # Errors
    /// As [`PostgresStore::watch`].
    pub async fn watch_script(&self, watch: &Watch) -> Result<String, Error> {
        let session = self.session().await?;
        session.begin().await?;
        // The connection goes without a commit: what was noted while the script was written is undone.
        let rows = session.ask(WATCH_SCRIPT, &parameters(watch)).await?;
        get(one(&rows)?, "script")
    }

    /// Stops watching a table. Events that it has emitted are delivered all the same.
    ///
    /// # Errors
    /// [`Error::Unusable`] when it is not watched; [`Error::Unavailable`] as [`PostgresStore::watch`].
    pub async fn unwatch(&self, table: &str) -> Result<(), Error> {
        let session = self.session().await?;
        session.ask(UNWATCH, &[(&table, Type::TEXT)]).await.map(drop)
    }

    /// The SQL by which a table's watch ends. Changes nothing.
    ///
    /// # Errors
    /// As [`PostgresStore::unwatch`].
    pub async fn unwatch_script(&self, table: &str) -> Result<String, Error> {
        let session = self.session().await?;
        let rows = session.ask(UNWATCH_SCRIPT, &[(&table, Type::TEXT)]).await?;
        get(one(&rows)?, "script")
    }

    /// The tables that are watched, by name.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn watched(&self) -> Result<Vec<Watched>, Error> {
        let session = self.session().await?;
        session.ask(WATCHED, &[]).await?.iter().map(watched).collect()
    }

    /// The statement that [`PostgresStore::watched`] asks in this schema.
    #[must_use]
    pub fn watched_statement(schema: &str) -> String {
        Schema::new(schema).name_in(WATCHED)
    }

    async fn session(&self) -> Result<Session<'_>, Error> {
        Session::open(self.database()).await
    }
}

fn parameters(watch: &Watch) -> [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 5] {
    [
        (&watch.table, Type::TEXT),
        (&watch.event_prefix, Type::TEXT),
        (&watch.account_column, Type::TEXT),
        (&watch.columns, Type::TEXT_ARRAY),
        (&watch.id_column, Type::TEXT),
    ]
}

fn one(rows: &[Row]) -> Result<&Row, Error> {
    rows.first().ok_or_else(|| Error::Corrupt("a function answered nothing".to_owned()))
}

fn watched(row: &Row) -> Result<Watched, Error> {
    Ok(Watched {
        table: get(row, "watched_table")?,
        event_prefix: get(row, "event_prefix")?,
        account_column: get(row, "account")?,
        columns: get(row, "watched_columns")?,
        id_columns: get(row, "id")?,
        since: time(row, "since")?,
        trouble: get(row, "trouble")?,
    })
}
