//! Event types: a document each, by name.

use resthooks::model::{AuditEntry, EventName, EventType};
use resthooks::store::Error;
use rusqlite::Connection;

use super::audit::write_audit;
use crate::event_row::text;
use crate::failure::{corrupt, from_sqlite};
use crate::writer::Work;

/// Inserts or replaces one.
pub(crate) fn put_event_type(
    work: &mut Work<'_>,
    event_type: &EventType,
    audit: Option<&AuditEntry>,
) -> Result<(), Error> {
    let document = serde_json::to_string(event_type).map_err(|e| Error::Corrupt(e.to_string()))?;
    work.connection
        .prepare_cached(
            "INSERT INTO event_type (name, document) VALUES (?1, ?2) \
             ON CONFLICT (name) DO UPDATE SET document = excluded.document",
        )
        .and_then(|mut put| put.execute((event_type.name.as_str(), document)))
        .map_err(from_sqlite)?;
    write_audit(work.connection, audit)
}

/// Whether there was one.
pub(crate) fn delete_event_type(
    work: &mut Work<'_>,
    name: &EventName,
    audit: Option<&AuditEntry>,
) -> Result<bool, Error> {
    let deleted = work
        .connection
        .prepare_cached("DELETE FROM event_type WHERE name = ?1")
        .and_then(|mut delete| delete.execute([name.as_str()]))
        .map_err(from_sqlite)?;
    if deleted > 0 {
        write_audit(work.connection, audit)?;
    }
    Ok(deleted > 0)
}

/// All, by name.
pub(super) fn all(connection: &Connection) -> Result<Vec<EventType>, Error> {
    let mut ask = connection.prepare("SELECT document FROM event_type ORDER BY name").map_err(from_sqlite)?;
    let mut rows = ask.query([]).map_err(from_sqlite)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        found.push(serde_json::from_str(text(row, 0)?).map_err(|_| corrupt("an event type"))?);
    }
    Ok(found)
}
