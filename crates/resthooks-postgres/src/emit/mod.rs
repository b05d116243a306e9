//! Emits an event within a transaction of the application's own: it exists exactly when what it tells of is committed.
//!
//! [`EmitIn`] adds `emit_in` to the engine's handle. The event is judged against the engine's catalogue first, so that most
//! of what would be refused never reaches the database; then the store's statement runs on the application's connection.
//! This module never begins, ends or retries a transaction, and opens no connection.

#[cfg(feature = "sqlx")]
mod sqlx;
#[cfg(feature = "tokio-postgres")]
mod tokio_postgres;

use std::future::Future;

use resthooks::model::EventId;
use resthooks::{Hooks, NewEvent};

/// Why an event was not emitted. After [`Error::Database`] the transaction can only be rolled back, as after any
/// statement that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine would not take it. Nothing was asked of the database.
    #[error(transparent)]
    Event(#[from] resthooks::Error),
    /// The engine's store is not a PostgreSQL schema.
    #[error("the engine's store is not PostgreSQL: there is nothing to emit into within a transaction")]
    NoStatement,
    /// The database refused it, or was lost.
    #[error("the event was not emitted")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Something to emit in: a transaction, or a connection within one. Implemented with the feature `sqlx` for its `Transaction` and
/// `PgConnection`, with the feature `tokio-postgres` for that crate's `Transaction`.
///
/// It has to be one on the database, and with the schema, of the engine's store.
pub trait Within: Send + private::Execute {}

impl<T: Send + private::Execute> Within for T {}

mod private {
    use std::future::Future;

    use super::{Arguments, Error};

    /// Runs the statement.
    pub trait Execute {
        /// Answers the event's id.
        fn execute(
            self,
            statement: String,
            arguments: Arguments,
        ) -> impl Future<Output = Result<String, Error>> + Send;
    }
}

/// The statement's parameters, in its order.
#[derive(Debug)]
#[doc(hidden)]
pub struct Arguments {
    event: String,
    account: String,
    data: String,
    id: Option<String>,
    created_at: Option<i64>,
    resource_url: Option<String>,
    order_key: Option<String>,
    debounce_key: Option<String>,
}

impl TryFrom<NewEvent> for Arguments {
    type Error = resthooks::Error;

    fn try_from(event: NewEvent) -> Result<Self, resthooks::Error> {
        let data = String::from_utf8(event.data.to_vec())
            .map_err(|_| resthooks::Error::field("data", "must be JSON, and that is UTF-8"))?;
        Ok(Self {
            event: event.event.to_string(),
            account: event.account.to_string(),
            data,
            id: event.id.map(|id| id.to_string()),
            created_at: event.created_at.map(resthooks::model::Timestamp::as_millis),
            resource_url: event.resource_url,
            order_key: event.order_key,
            debounce_key: event.debounce_key,
        })
    }
}

/// Emitting within a transaction of the application's own.
///
/// ```no_run
/// # #[cfg(feature = "sqlx")]
/// # async fn example(hooks: resthooks::Hooks, pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// use resthooks::NewEvent;
/// use resthooks_postgres::emit::EmitIn as _;
///
/// let mut tx = pool.begin().await?;
/// sqlx::query("UPDATE contact SET name = 'Ada' WHERE id = 7").execute(&mut *tx).await?;
/// let event = NewEvent::new("acme".parse()?, "contact.update".parse()?, r#"{"id": 7, "name": "Ada"}"#.into());
/// let id = hooks.emit_in(&mut tx, event).await?;
/// tx.commit().await?;
/// # Ok(())
/// # }
/// ```
pub trait EmitIn {
    /// Emits an event in this transaction; answers its id. It is accepted by a node, and delivered, after the
    /// transaction has been committed. Rolled back, it has never been.
    ///
    /// # Errors
    /// See [`Error`].
    fn emit_in<W: Within>(
        &self,
        within: W,
        event: NewEvent,
    ) -> impl Future<Output = Result<EventId, Error>> + Send;
}

impl EmitIn for Hooks {
    async fn emit_in<W: Within>(&self, within: W, event: NewEvent) -> Result<EventId, Error> {
        self.check_event(&event)?;
        let statement = self.emit_statement().ok_or(Error::NoStatement)?;
        let id = within.execute(statement, event.try_into()?).await?;
        id.parse().map_err(|_| Error::Event(resthooks::Error::Internal(format!("{id} is no event's id"))))
    }
}
