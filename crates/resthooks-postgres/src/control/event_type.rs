//! Event types: a document each, by name.

use resthooks::model::{AuditEntry, EventName, EventType};
use resthooks::store::Error;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::audit;
use crate::database::{Database, Way};
use crate::event_row::get;
use crate::failure::corrupt;
use crate::store::Inner;

/// Inserts or replaces one.
pub(crate) async fn put_event_type(
    inner: &Inner,
    event_type: &EventType,
    entry: Option<&AuditEntry>,
) -> Result<(), Error> {
    let document = serde_json::to_string(event_type).map_err(|e| Error::Corrupt(e.to_string()))?;
    let (node, name, audit) = (inner.numbers.node(), event_type.name.as_str(), audit::columns(entry)?);
    let parameters = [
        (&node as _, Type::INT8),
        (&name as _, Type::TEXT),
        (&document as _, Type::TEXT),
        (&audit as _, Type::TEXT_ARRAY),
    ];
    inner.database.repeat(Way::Any, "SELECT @.put_event_type($1, $2, $3, $4)", &parameters).await?;
    Ok(())
}

/// Whether there was one.
pub(crate) async fn delete_event_type(
    inner: &Inner,
    name: &EventName,
    entry: Option<&AuditEntry>,
) -> Result<bool, Error> {
    let (node, name, audit) = (inner.numbers.node(), name.as_str(), audit::columns(entry)?);
    let parameters = [(&node as _, Type::INT8), (&name as _, Type::TEXT), (&audit as _, Type::TEXT_ARRAY)];
    let rows = inner.database.once("SELECT @.delete_event_type($1, $2, $3) AS deleted", &parameters).await?;
    rows.first().map_or(Ok(false), |row| get(row, "deleted"))
}

/// All, by name.
pub(super) async fn all(database: &Database) -> Result<Vec<EventType>, Error> {
    let rows = database.read("SELECT document FROM @.event_type ORDER BY name", &[]).await?;
    rows.iter().map(event_type).collect()
}

/// Those of these names that there are.
pub(crate) async fn event_types_named(database: &Database, names: &[&str]) -> Result<Vec<EventType>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let ask = "SELECT document FROM @.event_type WHERE name = ANY ($1)";
    let rows = database.read(ask, &[(&names, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(event_type).collect()
}

fn event_type(row: &Row) -> Result<EventType, Error> {
    serde_json::from_str(get(row, "document")?).map_err(|_| corrupt("an event type"))
}
