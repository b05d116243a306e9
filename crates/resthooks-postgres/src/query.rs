//! Builds the statements of lists: which conditions there are depends on the filters given.
//!
//! Never holds a value in its text, only in its parameters.

use resthooks::model::Uid;
use resthooks::store::Error;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::database::{Database, Parameter};
use crate::value::{Uuid, count};

/// What a condition compares with.
#[derive(Debug)]
pub(crate) enum Value {
    Number(i64),
    Text(String),
    Unique(Uuid),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Uid> for Value {
    fn from(uid: Uid) -> Self {
        Self::Unique(Uuid(uid))
    }
}

impl Value {
    fn parameter(&self) -> Parameter<'_> {
        match self {
            Self::Number(number) => (number as &(dyn ToSql + Sync), Type::INT8),
            Self::Text(text) => (text, Type::TEXT),
            Self::Unique(uuid) => (uuid, Type::UUID),
        }
    }
}

/// A statement and its parameters, in their order.
#[derive(Debug, Default)]
pub(crate) struct Query {
    sql: String,
    values: Vec<Value>,
    has_conditions: bool,
}

impl Query {
    /// A statement up to its conditions.
    pub(crate) fn new(select: impl Into<String>) -> Self {
        Self { sql: select.into(), ..Self::default() }
    }

    /// Goes on with another part that has conditions of its own.
    pub(crate) fn then(&mut self, sql: &str) {
        self.sql.push_str(sql);
        self.has_conditions = false;
    }

    /// Adds a condition without a parameter.
    pub(crate) fn fixed(&mut self, condition: &str) {
        self.sql.push_str(if self.has_conditions { " AND " } else { " WHERE " });
        self.has_conditions = true;
        self.sql.push_str(condition);
    }

    /// Adds a condition with one parameter, written `?`, if there is a value for it.
    pub(crate) fn given<V: Into<Value>>(&mut self, condition: &str, value: Option<V>) {
        if let Some(value) = value {
            self.values.push(value.into());
            self.fixed(&condition.replacen('?', &format!("${}", self.values.len()), 1));
        }
    }

    /// Adds a condition with two numbers, written `?` each.
    pub(crate) fn given_two(&mut self, condition: &str, one: i64, other: i64) {
        self.values.extend([Value::Number(one), Value::Number(other)]);
        let last = self.values.len();
        let condition = condition.replacen('?', &format!("${}", last - 1), 1);
        self.fixed(&condition.replacen('?', &format!("${last}"), 1));
    }

    /// Ends a part of the statement.
    pub(crate) fn end(&mut self, order: &str, limit: usize) {
        self.values.push(Value::Number(count(limit)));
        self.sql.push_str(order);
        self.sql.push_str(&format!(" LIMIT ${}", self.values.len()));
    }

    /// Runs it and reads each row.
    pub(crate) async fn read<T>(
        self,
        database: &Database,
        read: impl Fn(&Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let parameters: Vec<Parameter<'_>> = self.values.iter().map(Value::parameter).collect();
        let rows = database.look_up(&self.sql, &parameters).await?;
        rows.iter().map(read).collect()
    }
}
