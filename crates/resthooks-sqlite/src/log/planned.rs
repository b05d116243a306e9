//! Planned deliveries: written with their events, read by sequence.

use resthooks::model::{EventSeq, Timestamp};
use resthooks::store::{
    Batch, Error, LeasePlanned, LeasedDelivery, LeasedPlanned, MAX_PLAN_KEY, Pick, PlannedDelivery,
};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::due::{ENOUGH_BYTES, one};
use crate::event_row::{COLUMNS, JOINS};
use crate::failure::{corrupt, from_sqlite};
use crate::writer::Work;

const INSERT: &str = "INSERT INTO delivery (event_seq, subscription, account, status, sequence, attempts, automatic, \
                      next_attempt_at, updated_at, plan_key) VALUES (?1, ?2, ?3, 1, ?4, 0, 0, ?5, ?6, ?7)";

/// What is read of a delivery.
const READ: &str =
    "SELECT event_seq, sequence, attempts, automatic, next_attempt_at, plan_key, plan_group FROM delivery";

pub(crate) const AFTER: &str = "INDEXED BY delivery_planned \
                                WHERE subscription = ?1 AND status = 1 AND plan_key IS NOT NULL AND sequence > ?2 \
                                ORDER BY sequence LIMIT ?3";

pub(crate) const OF_KEY: &str = "INDEXED BY delivery_planned_by_key \
                                 WHERE subscription = ?1 AND status = 1 AND plan_key IS NOT NULL AND plan_key = ?2 \
                                 AND sequence > ?3 ORDER BY sequence LIMIT ?4";

pub(crate) const OF_GROUP: &str = "INDEXED BY delivery_group_due \
                                   WHERE subscription = ?1 AND status = 1 AND plan_group IS NOT NULL \
                                   AND next_attempt_at = ?2 AND plan_group = ?3 ORDER BY sequence";

/// The group that is due first.
const FIRST_GROUP: &str = "SELECT next_attempt_at, plan_group FROM delivery INDEXED BY delivery_group_due \
                           WHERE subscription = ?1 AND status = 1 AND plan_group IS NOT NULL \
                           ORDER BY next_attempt_at, plan_group LIMIT 1";

/// The one after it.
const NEXT_GROUP: &str = "SELECT next_attempt_at FROM delivery INDEXED BY delivery_group_due \
                          WHERE subscription = ?1 AND status = 1 AND plan_group IS NOT NULL \
                          AND (next_attempt_at, plan_group) > (?2, ?3) ORDER BY next_attempt_at, plan_group LIMIT 1";

/// Writes the rows of a batch's planned deliveries, whose events have these numbers.
pub(super) fn write(work: &mut Work<'_>, batch: &Batch, numbers: &[EventSeq]) -> Result<(), Error> {
    for row in &batch.planned {
        let wrong = || Error::Corrupt("a planned delivery of no event".to_owned());
        let event = batch.events.get(row.event).ok_or_else(wrong)?;
        let given = event.matched.get(row.matched).ok_or_else(wrong)?;
        let seq = numbers.get(row.event).ok_or_else(wrong)?;
        if row.key.len() > MAX_PLAN_KEY {
            return Err(Error::Corrupt("the key of a planned delivery is too long".to_owned()));
        }
        let account = work.memory.account(work.connection, &event.account, batch.now)?;
        let mut insert = work.connection.prepare_cached(INSERT).map_err(from_sqlite)?;
        insert
            .execute((
                seq.0,
                given.subscription.0,
                account,
                given.sequence,
                row.due.as_millis(),
                batch.now.as_millis(),
                &row.key,
            ))
            .map_err(from_sqlite)?;
    }
    Ok(())
}

/// Reads some of a subscription's planned deliveries.
pub(crate) fn lease_planned(connection: &Connection, ask: &LeasePlanned) -> Result<LeasedPlanned, Error> {
    let of = Value::Integer(ask.subscription.0);
    // One more than asked for tells whether there are more.
    let most = i64::try_from(ask.limit).unwrap_or(i64::MAX - 1) + 1;
    let sequence = |after: u64| Value::Integer(after.cast_signed());
    match &ask.pick {
        Pick::After(after) => {
            read(connection, AFTER, vec![of, sequence(*after), Value::Integer(most)], Some(ask.limit))
        }
        Pick::OfKey { key, after } => {
            let values = vec![of, Value::Blob(key.clone()), sequence(*after), Value::Integer(most)];
            read(connection, OF_KEY, values, Some(ask.limit))
        }
        Pick::DueGroup(now) => due_group(connection, &of, *now),
    }
}

fn due_group(connection: &Connection, of: &Value, now: Timestamp) -> Result<LeasedPlanned, Error> {
    let first: Option<(i64, i64)> = connection
        .prepare_cached(FIRST_GROUP)
        .and_then(|mut ask| ask.query_row([of], |row| row.try_into()).optional())
        .map_err(from_sqlite)?;
    let Some((at, group)) = first else { return Ok(LeasedPlanned::default()) };
    if at > now.as_millis() {
        return Ok(LeasedPlanned { next_due: Some(Timestamp::from_millis(at)), ..LeasedPlanned::default() });
    }
    let (at, group) = (Value::Integer(at), Value::Integer(group));
    let next: Option<i64> = connection
        .prepare_cached(NEXT_GROUP)
        .and_then(|mut ask| ask.query_row([of, &at, &group], |row| row.get(0)).optional())
        .map_err(from_sqlite)?;
    let found = read(connection, OF_GROUP, vec![of.clone(), at, group], None)?;
    Ok(LeasedPlanned { next_due: next.map(Timestamp::from_millis), more: false, ..found })
}

/// Reads up to `limit`, and about so many bytes; all without a limit.
fn read(
    connection: &Connection,
    which: &str,
    values: Vec<Value>,
    limit: Option<usize>,
) -> Result<LeasedPlanned, Error> {
    let mut ask = connection.prepare_cached(&format!("{READ} {which}")).map_err(from_sqlite)?;
    let sql = format!("SELECT {COLUMNS} FROM event e {JOINS} WHERE e.seq = ?1");
    let mut events = connection.prepare_cached(&sql).map_err(from_sqlite)?;
    let mut rows = ask.query(params_from_iter(values)).map_err(from_sqlite)?;
    let mut leased = LeasedPlanned::default();
    let mut bytes = 0;
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        let full = limit.is_some_and(|limit| leased.deliveries.len() >= limit || bytes >= ENOUGH_BYTES);
        if full {
            leased.more = true;
            break;
        }
        let (seq, sequence, attempts, automatic, due, key, group): (
            i64,
            u64,
            u32,
            u32,
            Option<i64>,
            Vec<u8>,
            Option<u64>,
        ) = row.try_into().map_err(from_sqlite)?;
        let event = one(&mut events, seq)?;
        bytes += event.event.data.len();
        let due = Timestamp::from_millis(due.ok_or_else(|| corrupt("when a delivery is due"))?);
        let delivery = LeasedDelivery { event, sequence, attempts, automatic };
        leased.deliveries.push(PlannedDelivery { delivery, key, due, group });
    }
    Ok(leased)
}
