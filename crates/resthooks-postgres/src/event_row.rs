//! Reads an event back from its row. The one place that knows the order of the columns.

use std::sync::Arc;

use bytes::Bytes;
use resthooks::model::{
    AccountId, Event, EventId, EventName, EventSeq, Match, SequencedEvent, SubscriptionNo, Timestamp, Uid,
};
use resthooks::store::Error;
use resthooks::store::coding::decode_matched;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::failure::corrupt;
use crate::value::Uuid;

/// The columns, of `event e`.
pub(crate) const COLUMNS: &str = "e.seq, e.created_at, e.uid, e.account, e.name, e.matched, e.data, e.id, e.digest, \
                                  e.resource_url, e.order_key, e.debounce_key, \
                                  (SELECT x.pairs FROM @.shift x WHERE x.seq = e.shifted) AS shift";

/// The event in a row of these columns.
pub(crate) fn event(row: &Row) -> Result<SequencedEvent, Error> {
    let uid = uid(row, "uid")?;
    let mut matched = decode_matched(get(row, "matched")?).ok_or_else(|| corrupt("what an event matched"))?;
    shift(&mut matched, &get::<Option<Vec<i64>>>(row, "shift")?.unwrap_or_default());
    let digest: Option<&[u8]> = get(row, "digest")?;
    let event = Event {
        uid,
        id: public_id(row, "id", uid)?,
        account: account(row, "account")?,
        event: name(row, "name")?,
        created_at: time(row, "created_at")?,
        digest: digest.map(|digest| digest.try_into().map_err(|_| corrupt("a digest"))).transpose()?,
        resource_url: text(row, "resource_url")?,
        order_key: text(row, "order_key")?,
        debounce_key: text(row, "debounce_key")?,
        matched,
        data: Bytes::copy_from_slice(get(row, "data")?),
    };
    Ok(SequencedEvent { seq: EventSeq(get(row, "seq")?), event: Arc::new(event) })
}

/// Moves sequences by what is in these pairs.
pub(crate) fn shift(matched: &mut [Match], pairs: &[i64]) {
    for pair in pairs.chunks_exact(2) {
        let [subscription, by] = *pair else { continue };
        // Both ascend by subscription, but the pairs only as the database happened to give them.
        if let Ok(place) = matched.binary_search_by_key(&SubscriptionNo(subscription), |one| one.subscription)
            && let Some(one) = matched.get_mut(place)
        {
            one.sequence = one.sequence.saturating_add_signed(by);
        }
    }
}

/// One column's value.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, Error> {
    row.try_get(column).map_err(|_| corrupt(column))
}

/// A text that is kept as bytes.
pub(crate) fn text(row: &Row, column: &str) -> Result<Option<String>, Error> {
    let bytes: Option<&[u8]> = get(row, column)?;
    bytes.map(|bytes| String::from_utf8(bytes.to_vec()).map_err(|_| corrupt(column))).transpose()
}

pub(crate) fn uid(row: &Row, column: &str) -> Result<Uid, Error> {
    get::<Uuid>(row, column).map(|uuid| uuid.0)
}

pub(crate) fn time(row: &Row, column: &str) -> Result<Timestamp, Error> {
    get(row, column).map(Timestamp::from_millis)
}

pub(crate) fn time_or_none(row: &Row, column: &str) -> Result<Option<Timestamp>, Error> {
    get::<Option<i64>>(row, column).map(|at| at.map(Timestamp::from_millis))
}

pub(crate) fn account(row: &Row, column: &str) -> Result<AccountId, Error> {
    get::<&str>(row, column)?.parse().map_err(|_| corrupt("an account's id"))
}

pub(crate) fn name(row: &Row, column: &str) -> Result<EventName, Error> {
    get::<&str>(row, column)?.parse().map_err(|_| corrupt("an event type's name"))
}

/// A count, which is never below 0.
pub(crate) fn count<T: TryFrom<i64>>(row: &Row, column: &str) -> Result<T, Error> {
    T::try_from(get::<i64>(row, column)?).map_err(|_| corrupt(column))
}

/// A small count.
pub(crate) fn small_count(row: &Row, column: &str) -> Result<u32, Error> {
    // Counts above the type's half are written as negative ones.
    Ok(get::<i32>(row, column)?.cast_unsigned())
}

/// An event's public id: the producer's own in this column, else made of its unique part.
pub(crate) fn public_id(row: &Row, column: &str, uid: Uid) -> Result<EventId, Error> {
    match get::<Option<&str>>(row, column)? {
        Some(own) => own.parse().map_err(|_| corrupt("an event's id")),
        None => Ok(EventId::generated(uid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_moved() {
        let one = |no, sequence| Match { subscription: SubscriptionNo(no), sequence };
        let mut matched = [one(2, 5), one(7, 1), one(9, 4)];
        shift(&mut matched, &[9, -3, 8, 100, 2, 10]);
        assert_eq!(matched, [one(2, 15), one(7, 1), one(9, 1)]);
    }
}
