//! Builds the statements of lists: which conditions there are depends on the filters given.
//!
//! Never holds a value in its text, only in its parameters, so that the statements of one shape are compiled once.

use resthooks::store::Error;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::failure::from_sqlite;

/// A statement and its parameters, in their order.
#[derive(Debug)]
pub(crate) struct Query {
    sql: String,
    values: Vec<Value>,
    conditions: usize,
}

impl Query {
    /// A statement up to its conditions.
    pub(crate) fn new(select: String) -> Self {
        Self { sql: select, values: Vec::new(), conditions: 0 }
    }

    /// Adds a condition without a parameter.
    pub(crate) fn fixed(&mut self, condition: &str) {
        self.sql.push_str(if self.conditions == 0 { " WHERE " } else { " AND " });
        self.conditions += 1;
        self.sql.push_str(condition);
    }

    /// Adds a condition with one parameter, if there is a value for it.
    pub(crate) fn given<V: Into<Value>>(&mut self, condition: &str, value: Option<V>) {
        if let Some(value) = value {
            self.fixed(condition);
            self.values.push(value.into());
        }
    }

    /// Adds an alternative to the condition added last, with its own parameter.
    pub(crate) fn unite(&mut self, alternative: &str, value: impl Into<Value>) {
        self.sql.push_str(alternative);
        self.values.push(value.into());
    }

    /// Ends the statement.
    pub(crate) fn end(&mut self, order: &str, limit: usize) {
        self.sql.push_str(order);
        self.sql.push_str(" LIMIT ?");
        self.values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    }

    /// Runs it and reads each row.
    pub(crate) fn read<T>(
        self,
        connection: &Connection,
        read: impl Fn(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = connection.prepare_cached(&self.sql).map_err(from_sqlite)?;
        let mut rows = statement.query(params_from_iter(self.values)).map_err(from_sqlite)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(from_sqlite)? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    #[cfg(test)]
    pub(crate) fn plan(&self, connection: &Connection) -> String {
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", self.sql)).unwrap();
        let lines =
            explain.query_map(params_from_iter(self.values.iter()), |row| row.get::<_, String>(3)).unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }
}
