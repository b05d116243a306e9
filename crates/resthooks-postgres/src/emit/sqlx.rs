//! Within a transaction of sqlx's.

use sqlx::{PgConnection, Postgres, Transaction};

use super::private::Execute;
use super::{Arguments, Error};

impl Execute for &mut PgConnection {
    async fn execute(self, statement: String, arguments: Arguments) -> Result<String, Error> {
        sqlx::query_scalar(&statement)
            // A pooler may give the next statement to another connection.
            .persistent(false)
            .bind(arguments.event)
            .bind(arguments.account)
            .bind(arguments.data)
            .bind(arguments.id)
            .bind(arguments.created_at)
            .bind(arguments.resource_url)
            .bind(arguments.order_key)
            .bind(arguments.debounce_key)
            .fetch_one(self)
            .await
            .map_err(|error| Error::Database(error.into()))
    }
}

impl Execute for &mut Transaction<'_, Postgres> {
    async fn execute(self, statement: String, arguments: Arguments) -> Result<String, Error> {
        Execute::execute(&mut **self, statement, arguments).await
    }
}
