//! Appends events: one row each, and one more for those whose producer gave an id.

use resthooks::model::{Event, EventId, EventSeq};
use resthooks::store::{Batch, Error};
use rusqlite::{CachedStatement, Connection};

use crate::failure::from_sqlite;
use crate::writer::Work;
use resthooks::store::coding::encode_matched;

const INSERT: &str = "INSERT INTO event (seq, uid, account, name, created_at, id, digest, resource_url, order_key, \
                      debounce_key, matched, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Appends the batch's events and answers their numbers.
pub(super) fn events(work: &mut Work<'_>, batch: &Batch) -> Result<Vec<EventSeq>, Error> {
    if batch.events.is_empty() {
        return Ok(Vec::new());
    }
    let mut numbers = Vec::with_capacity(batch.events.len());
    let mut insert = work.connection.prepare_cached(INSERT).map_err(from_sqlite)?;
    let mut matched = Vec::new();
    for event in &batch.events {
        let account = work.memory.account(work.connection, &event.account, batch.now)?;
        let name = work.memory.name(work.connection, &event.event)?;
        let row = Row { seq: work.memory.number(event.created_at), account, name, event };
        matched.clear();
        encode_matched(&event.matched, &mut matched);
        let own_id = own_id(event);
        row.insert(&mut insert, own_id, &matched).map_err(from_sqlite)?;
        if let Some(id) = own_id {
            row.insert_id(work.connection, id)?;
        }
        numbers.push(EventSeq(row.seq));
    }
    work.memory.end_period(work.connection).map_err(from_sqlite)?;
    Ok(numbers)
}

/// The id when a producer gave it. Also such a one as we would have made must be found by it.
fn own_id(event: &Event) -> Option<&EventId> {
    let ours = event.digest.is_none() && event.id.as_generated() == Some(event.uid);
    (!ours).then_some(&event.id)
}

struct Row<'a> {
    seq: i64,
    account: i64,
    name: i64,
    event: &'a Event,
}

impl Row<'_> {
    fn insert(
        &self,
        insert: &mut CachedStatement<'_>,
        own_id: Option<&EventId>,
        matched: &[u8],
    ) -> rusqlite::Result<()> {
        let event = self.event;
        insert.raw_bind_parameter(1, self.seq)?;
        insert.raw_bind_parameter(2, event.uid.to_bytes())?;
        insert.raw_bind_parameter(3, self.account)?;
        insert.raw_bind_parameter(4, self.name)?;
        insert.raw_bind_parameter(5, event.created_at.as_millis())?;
        insert.raw_bind_parameter(6, own_id.map(EventId::as_str))?;
        insert.raw_bind_parameter(7, event.digest)?;
        insert.raw_bind_parameter(8, event.resource_url.as_deref())?;
        insert.raw_bind_parameter(9, event.order_key.as_deref())?;
        insert.raw_bind_parameter(10, event.debounce_key.as_deref())?;
        insert.raw_bind_parameter(11, matched)?;
        insert.raw_bind_parameter(12, &event.data[..])?;
        insert.raw_execute()?;
        Ok(())
    }

    fn insert_id(&self, connection: &Connection, id: &EventId) -> Result<(), Error> {
        let inserted = connection
            .prepare_cached(
                "INSERT INTO event_id (id, account, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )
            .and_then(|mut insert| insert.execute((id.as_str(), self.account, self.seq)))
            .map_err(from_sqlite)?;
        if inserted == 1 { Ok(()) } else { Err(Error::Overtaken) }
    }
}
