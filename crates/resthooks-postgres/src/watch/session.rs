//! A connection for one question, whose refusals are meant for people.

use resthooks::store::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use crate::database::{Database, Parameter};
use crate::failure::from_postgres;

pub(super) struct Session<'a> {
    database: &'a Database,
    client: Client,
}

impl<'a> Session<'a> {
    pub(super) async fn open(database: &'a Database) -> Result<Self, Error> {
        Ok(Self { database, client: database.connector.connect().await? })
    }

    /// A transaction that ends with the connection.
    pub(super) async fn begin(&self) -> Result<(), Error> {
        self.client.batch_execute("BEGIN").await.map_err(|error| told(&error))
    }

    pub(super) async fn ask(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        let sql = self.database.schema.name_in(sql);
        tokio::select! {
            answer = self.client.query_typed(&sql, parameters) => answer.map_err(|error| told(&error)),
            () = self.database.clock.sleep(self.database.statement_timeout) => {
                self.database.connector.cancel(&self.client);
                Err(Error::Unavailable("the database did not answer in time".to_owned()))
            }
        }
    }
}

/// The server's own words: whoever names a table or a column wants to know what was wrong with it.
fn told(error: &tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        return from_postgres(error).told();
    };
    let code = db.code();
    if *code == SqlState::LOCK_NOT_AVAILABLE {
        let why =
            "the table is in use by a long transaction: nothing was changed; try again when that has ended";
        return Error::Unavailable(why.to_owned());
    }
    if *code == SqlState::UNDEFINED_FUNCTION || *code == SqlState::INVALID_SCHEMA_NAME {
        return from_postgres(error).told();
    }
    match code.code().get(..2) {
        Some("RH" | "42" | "22" | "54") => Error::Unusable(db.message().to_owned()),
        _ => from_postgres(error).told(),
    }
}
