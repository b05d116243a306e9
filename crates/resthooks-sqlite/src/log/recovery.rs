//! What a restart asks: how far the log goes, what is not recorded yet, and what waits.

use std::collections::HashSet;

use resthooks::model::{EventSeq, SubscriptionNo, Timestamp};
use resthooks::store::{Backlog, Error, Position, Unrecorded};
use rusqlite::{Connection, Row};

use crate::event_row::{COLUMNS, JOINS, event};
use crate::failure::from_sqlite;
use crate::memory;

/// How far the log goes and how far it is recorded.
pub(crate) fn position(connection: &Connection) -> Result<Position, Error> {
    let watermark =
        connection.query_row("SELECT watermark FROM position", [], |row| row.get(0)).map_err(from_sqlite)?;
    let last = memory::last(connection).map_err(from_sqlite)?;
    Ok(Position { watermark: EventSeq(watermark), last: EventSeq(last) })
}

/// Once so many bytes of events are found, a page ends.
const ENOUGH_BYTES: usize = 16 * 1024 * 1024;

/// The events of a range with those of their matches that have no row. Large events make a page shorter.
pub(crate) fn unrecorded(
    connection: &Connection,
    after: EventSeq,
    through: EventSeq,
    limit: usize,
) -> Result<Vec<Unrecorded>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM event e {JOINS} WHERE e.seq > ?1 AND e.seq <= ?2 ORDER BY e.seq LIMIT ?3"
    );
    let mut events = connection.prepare_cached(&sql).map_err(from_sqlite)?;
    let mut recorded = connection
        .prepare_cached("SELECT subscription FROM delivery WHERE event_seq = ?1")
        .map_err(from_sqlite)?;
    let mut rows = events.query((after.0, through.0, limit)).map_err(from_sqlite)?;
    let mut found = Vec::new();
    let mut bytes = 0;
    while bytes < ENOUGH_BYTES
        && let Some(row) = rows.next().map_err(from_sqlite)?
    {
        let event = event(row)?;
        bytes += event.event.data.len();
        let recorded: HashSet<i64> = recorded
            .query_map([event.seq.0], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(from_sqlite)?;
        let missing = event
            .event
            .matched
            .iter()
            .filter(|one| !recorded.contains(&one.subscription.0))
            .copied()
            .collect();
        found.push(Unrecorded { event, missing });
    }
    Ok(found)
}

/// What waits, per subscription that is still there.
pub(crate) fn backlog(connection: &Connection) -> Result<Vec<Backlog>, Error> {
    let sql = "SELECT s.no, \
               (SELECT min(d.next_attempt_at) FROM delivery d INDEXED BY delivery_due \
                WHERE d.subscription = s.no AND d.status = 1 AND d.plan_key IS NULL), \
               (SELECT count(*) FROM delivery d INDEXED BY delivery_by_subscription_status \
                WHERE d.subscription = s.no AND d.status = 1 AND d.status <> 0) AS scheduled, \
               (SELECT count(*) FROM delivery d INDEXED BY delivery_by_subscription_status \
                WHERE d.subscription = s.no AND d.status = 2 AND d.status <> 0) AS held \
               FROM subscription s WHERE scheduled + held > 0";
    let backlog = |row: &Row<'_>| {
        let next_due: Option<i64> = row.get(1)?;
        Ok(Backlog {
            subscription: SubscriptionNo(row.get(0)?),
            next_due: next_due.map(Timestamp::from_millis),
            scheduled: row.get(2)?,
            held: row.get(3)?,
        })
    };
    let mut ask = connection.prepare(sql).map_err(from_sqlite)?;
    ask.query_map([], backlog).and_then(Iterator::collect).map_err(from_sqlite)
}
