//! Takes what is due, but for planned deliveries. With a single owner nothing has to be marked: the caller says what it has in hand.

use std::collections::HashSet;

use resthooks::model::{EventSeq, Timestamp};
use resthooks::store::{Error, LeaseDue, Leased, LeasedDelivery};
use rusqlite::{CachedStatement, Connection};

use crate::event_row::{COLUMNS, JOINS, event};
use crate::failure::{corrupt, from_sqlite};

pub(crate) const DUE: &str = "SELECT event_seq, next_attempt_at, sequence, attempts, automatic \
                              FROM delivery INDEXED BY delivery_due \
                              WHERE subscription = ?1 AND status = 1 AND plan_key IS NULL \
                              ORDER BY next_attempt_at, event_seq";

/// Once so many bytes of events are taken, no more are: whoever asked keeps them all in memory.
pub(super) const ENOUGH_BYTES: usize = 4 * 1024 * 1024;

/// The longest due deliveries of a subscription, and when the one after them is due. Reads no more rows than
/// `limit` and `except` have, and one.
pub(crate) fn lease_due(connection: &Connection, ask: &LeaseDue) -> Result<Leased, Error> {
    let except: HashSet<EventSeq> = ask.except.iter().copied().collect();
    let mut due = connection.prepare_cached(DUE).map_err(from_sqlite)?;
    let sql = format!("SELECT {COLUMNS} FROM event e {JOINS} WHERE e.seq = ?1");
    let mut events = connection.prepare_cached(&sql).map_err(from_sqlite)?;
    let mut rows = due.query([ask.subscription.0]).map_err(from_sqlite)?;
    let mut leased = Leased::default();
    let mut bytes = 0;
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        let (seq, at, sequence, attempts, automatic): (i64, i64, u64, u32, u32) =
            row.try_into().map_err(from_sqlite)?;
        if except.contains(&EventSeq(seq)) {
            continue;
        }
        let at = Timestamp::from_millis(at);
        if at > ask.now || leased.deliveries.len() >= ask.limit || bytes >= ENOUGH_BYTES {
            leased.next_due = Some(at);
            break;
        }
        let event = one(&mut events, seq)?;
        bytes += event.event.data.len();
        leased.deliveries.push(LeasedDelivery { event, sequence, attempts, automatic });
    }
    Ok(leased)
}

pub(super) fn one(
    events: &mut CachedStatement<'_>,
    seq: i64,
) -> Result<resthooks::model::SequencedEvent, Error> {
    let mut rows = events.query([seq]).map_err(from_sqlite)?;
    let row = rows.next().map_err(from_sqlite)?.ok_or_else(|| corrupt("a delivery's event"))?;
    event(row)
}
