//! Reads deliveries and their attempts.

use resthooks::model::{
    Attempt, Delivery, DeliveryId, DeliveryKey, DeliveryStatus, EventSeq, SubscriptionId, SubscriptionNo,
    Timestamp,
};
use resthooks::store::{DeliveryFilter, Error, EventFilter, Missed, Page};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::event::{Numbered, seq_of};
use crate::event_row::{account, blob, get, name, public_id, uid};
use crate::failure::{corrupt, from_sqlite};
use crate::query::Query;
use resthooks::store::coding::{decode_attempt, delivery_status, delivery_status_code};

/// The columns, of `delivery d`, `event e` and what [`JOINS`] adds.
const COLUMNS: &str = "d.event_seq, d.subscription, e.uid, s.uid, a.id, e.id, n.name, d.sequence, d.status, \
                       d.reason, d.attempts, d.next_attempt_at, e.created_at, d.updated_at, \
                       d.automatic";

/// A delivery is shown as long as its subscription is there, if only as a tombstone.
const JOINS: &str = "CROSS JOIN subscription s ON s.no = d.subscription CROSS JOIN account a ON a.no = e.account \
                     CROSS JOIN event_name n ON n.no = e.name";

fn delivery(row: &Row<'_>) -> Result<Delivery, Error> {
    let event = uid(row, 2)?;
    let next: Option<i64> = get(row, 11)?;
    Ok(Delivery {
        key: DeliveryKey { event: EventSeq(get(row, 0)?), subscription: SubscriptionNo(get(row, 1)?) },
        id: DeliveryId { event, subscription: SubscriptionId(uid(row, 3)?) },
        account: account(row, 4)?,
        event: public_id(row, 5, event)?,
        event_type: name(row, 6)?,
        sequence: get(row, 7)?,
        status: delivery_status(get(row, 8)?).ok_or_else(|| corrupt("a delivery's status"))?,
        reason: get(row, 9)?,
        attempts: get(row, 10)?,
        automatic: get(row, 14)?,
        next_attempt_at: next.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(get(row, 12)?),
        updated_at: Timestamp::from_millis(get(row, 13)?),
    })
}

/// Those of these deliveries that have a row.
pub(crate) fn deliveries(connection: &Connection, keys: &[DeliveryKey]) -> Result<Vec<Delivery>, Error> {
    let mut found = Vec::new();
    for key in keys {
        let mut query = Query::new(format!(
            "SELECT {COLUMNS} FROM delivery d CROSS JOIN event e ON e.seq = d.event_seq {JOINS}"
        ));
        query.given("d.event_seq = ?", Some(key.event.0));
        query.given("d.subscription = ?", Some(key.subscription.0));
        query.end("", 1);
        found.extend(query.read(connection, delivery)?);
    }
    Ok(found)
}

/// A delivery's attempts: the one made before it had a row, then the others.
pub(crate) fn attempts(connection: &Connection, key: DeliveryKey) -> Result<Vec<Attempt>, Error> {
    let mut all = Query::new(
        "SELECT attempt FROM (SELECT event_seq, subscription, -1 AS place, first_attempt AS attempt FROM delivery \
         WHERE first_attempt IS NOT NULL UNION ALL SELECT event_seq, subscription, place, attempt FROM attempt)"
            .to_owned(),
    );
    all.given("event_seq = ?", Some(key.event.0));
    all.given("subscription = ?", Some(key.subscription.0));
    all.end(" ORDER BY place", usize::MAX);
    all.read(connection, |row| decode_attempt(blob(row, 0)?).ok_or_else(|| corrupt("an attempt")))
}

/// A page of those that have a row, newest first.
pub(crate) fn list_deliveries(
    connection: &Connection,
    filter: &DeliveryFilter,
    page: &Page<DeliveryId>,
) -> Result<Vec<Delivery>, Error> {
    if filter.status == Some(DeliveryStatus::Pending) {
        return Ok(Vec::new());
    }
    let events = of_events(filter);
    let Some(mut numbered) = Numbered::of(connection, &events)? else { return Ok(Vec::new()) };
    let mut after = None;
    if let Some(id) = page.after {
        let Some(key) = key_of(connection, id)? else { return Ok(Vec::new()) };
        numbered.last = numbered.last.min(key.event.0);
        after = Some(key);
    }
    list_query(numbered, filter, after, page.limit).read(connection, delivery)
}

/// How many of a subscription's deliveries are dead. The event of the first is looked up alone.
pub(crate) fn missed(connection: &Connection, subscription: SubscriptionNo) -> Result<Missed, Error> {
    let sql = "SELECT m.count, e.created_at FROM (SELECT count(*) AS count, min(event_seq) AS first FROM delivery \
               INDEXED BY delivery_by_subscription_status WHERE subscription = ?1 AND status = 3 AND status <> 0) m \
               LEFT JOIN event e ON e.seq = m.first";
    let missed = |row: &Row<'_>| {
        let oldest: Option<i64> = row.get(1)?;
        Ok(Missed { count: row.get(0)?, oldest: oldest.map(Timestamp::from_millis) })
    };
    connection
        .prepare_cached(sql)
        .and_then(|mut ask| ask.query_row([subscription.0], missed))
        .map_err(from_sqlite)
}

fn of_events(filter: &DeliveryFilter) -> EventFilter {
    EventFilter {
        account: filter.account.clone(),
        event: filter.event_type.clone(),
        since: filter.since,
        until: filter.until,
    }
}

/// What a delivery's row is stored under, when there is one.
fn key_of(connection: &Connection, id: DeliveryId) -> Result<Option<DeliveryKey>, Error> {
    let Some(seq) = seq_of(connection, id.event)? else { return Ok(None) };
    let subscription = connection
        .prepare_cached(
            "SELECT d.subscription FROM subscription s CROSS JOIN delivery d \
             ON d.event_seq = ?1 AND d.subscription = s.no WHERE s.uid = ?2",
        )
        .and_then(|mut ask| ask.query_row((seq, id.subscription.0.to_bytes()), |row| row.get(0)).optional())
        .map_err(from_sqlite)?;
    Ok(subscription.map(|no| DeliveryKey { event: EventSeq(seq), subscription: SubscriptionNo(no) }))
}

/// How to go through the deliveries that fit: by what leaves the fewest to look at.
enum Path {
    /// By the deliveries themselves, over this index.
    Deliveries(&'static str),
    /// By the events that fit, in their order.
    Events,
}

fn path(numbered: Numbered, filter: &DeliveryFilter) -> Path {
    let waits_or_ended = filter.status.is_some_and(|status| status != DeliveryStatus::Delivered);
    if filter.event.is_some() {
        return Path::Deliveries("NOT INDEXED");
    }
    match (filter.subscription, numbered.account, waits_or_ended) {
        (Some(_), _, true) => Path::Deliveries("INDEXED BY delivery_by_subscription_status"),
        (Some(_), _, false) => Path::Deliveries("INDEXED BY delivery_by_subscription"),
        (None, Some(_), true) => Path::Deliveries("INDEXED BY delivery_by_account_status"),
        (None, None, true) => Path::Deliveries("INDEXED BY delivery_by_status"),
        (None, None, false) if numbered.name.is_none() => Path::Deliveries("NOT INDEXED"),
        (None, _, false) => Path::Events,
    }
}

fn list_query(
    numbered: Numbered,
    filter: &DeliveryFilter,
    after: Option<DeliveryKey>,
    limit: usize,
) -> Query {
    let (mut query, seq) = match path(numbered, filter) {
        Path::Deliveries(index) => (
            Query::new(format!(
                "SELECT {COLUMNS} FROM delivery d {index} CROSS JOIN event e ON e.seq = d.event_seq {JOINS}"
            )),
            "d.event_seq",
        ),
        Path::Events => (
            Query::new(format!(
                "SELECT {COLUMNS} FROM event e {} CROSS JOIN delivery d ON d.event_seq = e.seq {JOINS}",
                numbered.index()
            )),
            "e.seq",
        ),
    };
    query.given(&format!("{seq} >= ?"), Some(numbered.first));
    query.given(&format!("{seq} <= ?"), Some(numbered.last));
    query.given(&format!("{seq} = ?"), filter.event.map(|seq| seq.0));
    query.given("d.subscription = ?", filter.subscription.map(|no| no.0));
    query.given("d.account = ?", numbered.account);
    if let Some(code) = filter.status.and_then(delivery_status_code) {
        query.fixed(&format!("d.status = {code}"));
        if code != 0 {
            // Says no more, but lets the indexes over all but the delivered ones be used.
            query.fixed("d.status <> 0");
        }
    }
    numbered.conditions(&mut query, &of_events(filter));
    if let Some(after) = after {
        query.given(&format!("({seq} < ?"), Some(after.event.0));
        query.unite(" OR d.subscription < ?)", after.subscription.0);
    }
    query.end(&format!(" ORDER BY {seq} DESC, d.subscription DESC"), limit);
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(
        connection: &Connection,
        account: Option<i64>,
        name: Option<i64>,
        filter: &DeliveryFilter,
    ) -> String {
        let numbered = Numbered { account, name, first: 1, last: 9 };
        let after = DeliveryKey { event: EventSeq(9), subscription: SubscriptionNo(2) };
        let plan = list_query(numbered, filter, Some(after), 50).plan(connection);
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
        plan
    }

    #[test]
    fn every_list_follows_an_index_and_sorts_nothing() {
        let connection = crate::schema::in_memory();
        let none = DeliveryFilter::default();
        let status = |status| DeliveryFilter { status: Some(status), ..DeliveryFilter::default() };
        let to = |status| DeliveryFilter {
            subscription: Some(SubscriptionNo(1)),
            status,
            ..DeliveryFilter::default()
        };
        let dead = DeliveryStatus::Dead;
        for (account, name, filter, expected) in [
            (None, None, none.clone(), "SEARCH d USING PRIMARY KEY (event_seq>? AND event_seq<?)"),
            (
                None,
                None,
                status(DeliveryStatus::Delivered),
                "SEARCH d USING PRIMARY KEY (event_seq>? AND event_seq<?)",
            ),
            (
                Some(1),
                None,
                none.clone(),
                "SEARCH e USING INDEX event_by_account (account=? AND seq>? AND seq<?)",
            ),
            (None, Some(1), none, "SEARCH e USING INDEX event_by_name (name=? AND seq>? AND seq<?)"),
            (
                Some(1),
                Some(1),
                to(None),
                "SEARCH d USING INDEX delivery_by_subscription (subscription=? AND event_seq>? AND event_seq<?)",
            ),
            (
                Some(1),
                None,
                to(Some(dead)),
                "SEARCH d USING INDEX delivery_by_subscription_status (subscription=? AND status=? AND event_seq>? AND event_seq<?)",
            ),
            (
                Some(1),
                None,
                status(dead),
                "SEARCH d USING INDEX delivery_by_account_status (account=? AND status=? AND event_seq>? AND event_seq<?)",
            ),
            (
                None,
                Some(1),
                status(dead),
                "SEARCH d USING INDEX delivery_by_status (status=? AND event_seq>? AND event_seq<?)",
            ),
        ] {
            let plan = plan(&connection, account, name, &filter);
            assert!(plan.starts_with(expected), "{filter:?}: {plan}");
        }
        let of_one = DeliveryFilter { event: Some(EventSeq(1)), ..DeliveryFilter::default() };
        assert!(
            plan(&connection, Some(1), None, &of_one).starts_with("SEARCH d USING PRIMARY KEY (event_seq=?")
        );
    }
}
