//! Within a transaction of tokio-postgres's.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::private::Execute;
use super::{Arguments, Error};

impl Execute for &Transaction<'_> {
    async fn execute(self, statement: String, arguments: Arguments) -> Result<String, Error> {
        let failed = |error: tokio_postgres::Error| Error::Database(error.into());
        // Nothing is left prepared: a pooler may give the next statement to another connection.
        let rows = self
            .query_typed(
                &statement,
                &[
                    (&arguments.event, Type::TEXT),
                    (&arguments.account, Type::TEXT),
                    (&arguments.data, Type::TEXT),
                    (&arguments.id, Type::TEXT),
                    (&arguments.created_at, Type::INT8),
                    (&arguments.resource_url, Type::TEXT),
                    (&arguments.order_key, Type::TEXT),
                    (&arguments.debounce_key, Type::TEXT),
                ],
            )
            .await
            .map_err(failed)?;
        rows.first().ok_or(Error::NoStatement)?.try_get(0).map_err(failed)
    }
}

impl Execute for &mut Transaction<'_> {
    async fn execute(self, statement: String, arguments: Arguments) -> Result<String, Error> {
        Execute::execute(&*self, statement, arguments).await
    }
}
