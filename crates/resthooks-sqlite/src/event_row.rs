//! Reads an event back from its row. The one place that knows the order of the columns.

use std::sync::Arc;

use bytes::Bytes;
use resthooks::model::{AccountId, Event, EventId, EventName, EventSeq, SequencedEvent, Timestamp, Uid};
use resthooks::store::Error;
use rusqlite::Row;

use crate::failure::{corrupt, from_sqlite};
use resthooks::store::coding::decode_matched;

/// The columns, of `event e`, `account a` and `event_name n`.
pub(crate) const COLUMNS: &str = "e.seq, e.uid, a.id, n.name, e.created_at, e.id, e.digest, e.resource_url, \
                                  e.order_key, e.debounce_key, e.matched, e.data";

/// What to join to `event e` for them.
pub(crate) const JOINS: &str =
    "CROSS JOIN account a ON a.no = e.account CROSS JOIN event_name n ON n.no = e.name";

/// The event in a row of these columns.
pub(crate) fn event(row: &Row<'_>) -> Result<SequencedEvent, Error> {
    let uid = uid(row, 1)?;
    let event = Event {
        uid,
        id: public_id(row, 5, uid)?,
        account: account(row, 2)?,
        event: name(row, 3)?,
        created_at: Timestamp::from_millis(get(row, 4)?),
        digest: get(row, 6)?,
        resource_url: get(row, 7)?,
        order_key: get(row, 8)?,
        debounce_key: get(row, 9)?,
        matched: decode_matched(blob(row, 10)?).ok_or_else(|| corrupt("what an event matched"))?,
        data: Bytes::copy_from_slice(blob(row, 11)?),
    };
    Ok(SequencedEvent { seq: EventSeq(get(row, 0)?), event: Arc::new(event) })
}

/// One column's value.
pub(crate) fn get<T: rusqlite::types::FromSql>(row: &Row<'_>, column: usize) -> Result<T, Error> {
    row.get(column).map_err(from_sqlite)
}

pub(crate) fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, Error> {
    row.get_ref(column).map_err(from_sqlite)?.as_str().map_err(|_| corrupt("a text"))
}

pub(crate) fn blob<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a [u8], Error> {
    row.get_ref(column).map_err(from_sqlite)?.as_blob().map_err(|_| corrupt("a column of bytes"))
}

pub(crate) fn uid(row: &Row<'_>, column: usize) -> Result<Uid, Error> {
    get(row, column).map(Uid::from_bytes)
}

pub(crate) fn account(row: &Row<'_>, column: usize) -> Result<AccountId, Error> {
    text(row, column)?.parse().map_err(|_| corrupt("an account's id"))
}

pub(crate) fn name(row: &Row<'_>, column: usize) -> Result<EventName, Error> {
    text(row, column)?.parse().map_err(|_| corrupt("an event type's name"))
}

/// An event's public id: the producer's own in this column, else made of its unique part.
pub(crate) fn public_id(row: &Row<'_>, column: usize, uid: Uid) -> Result<EventId, Error> {
    match row.get_ref(column).map_err(from_sqlite)?.as_str_or_null() {
        Ok(Some(own)) => own.parse().map_err(|_| corrupt("an event's id")),
        Ok(None) => Ok(EventId::generated(uid)),
        Err(_) => Err(corrupt("an event's id")),
    }
}
