//! Reads deliveries and their attempts.

use resthooks::model::{
    Attempt, Delivery, DeliveryId, DeliveryKey, DeliveryStatus, EventSeq, SubscriptionId, SubscriptionNo,
    Timestamp,
};
use resthooks::store::coding::{decode_attempt, delivery_status, delivery_status_code};
use resthooks::store::{DeliveryFilter, Error, EventFilter, Missed, Page};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::event::seq_of;
use super::of_events;
use crate::database::Database;
use crate::event_row::{account, get, name, public_id, small_count, time, time_or_none, uid};
use crate::failure::corrupt;
use crate::query::Query;

/// The columns, of `delivery d`, `event e` and `subscription s`.
pub(super) const COLUMNS: &str = "d.event_seq, d.subscription, e.uid AS event_uid, s.uid AS subscription_uid, d.account, \
                                  e.id AS event_id, e.name, d.sequence, d.status, d.reason, d.attempts, d.automatic, \
                                  d.next_attempt_at, e.created_at, d.updated_at";

/// A delivery is shown as long as its subscription is there, if only as a tombstone. One row at a time, whatever the
/// statistics say.
pub(super) const JOINS: &str = "CROSS JOIN LATERAL (SELECT e.uid, e.id, e.name, e.created_at FROM @.event e \
                                WHERE e.account = d.account AND e.seq = d.event_seq LIMIT 1) e \
                                CROSS JOIN LATERAL (SELECT s.uid FROM @.subscription s \
                                WHERE s.no = d.subscription LIMIT 1) s";

pub(super) fn delivery(row: &Row) -> Result<Delivery, Error> {
    let event = uid(row, "event_uid")?;
    Ok(Delivery {
        key: key(row)?,
        id: DeliveryId { event, subscription: SubscriptionId(uid(row, "subscription_uid")?) },
        account: account(row, "account")?,
        event: public_id(row, "event_id", event)?,
        event_type: name(row, "name")?,
        sequence: get::<i64>(row, "sequence")?.cast_unsigned(),
        status: delivery_status(i64::from(get::<i16>(row, "status")?))
            .ok_or_else(|| corrupt("a delivery's status"))?,
        reason: get(row, "reason")?,
        attempts: small_count(row, "attempts")?,
        automatic: small_count(row, "automatic")?,
        next_attempt_at: time_or_none(row, "next_attempt_at")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

fn key(row: &Row) -> Result<DeliveryKey, Error> {
    Ok(DeliveryKey {
        event: EventSeq(get(row, "event_seq")?),
        subscription: SubscriptionNo(get(row, "subscription")?),
    })
}

/// Those of these deliveries that have a row. The account, with which the rows' key begins, is the event's.
pub(crate) async fn deliveries(database: &Database, keys: &[DeliveryKey]) -> Result<Vec<Delivery>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let events: Vec<i64> = keys.iter().map(|key| key.event.0).collect();
    let subscriptions: Vec<i64> = keys.iter().map(|key| key.subscription.0).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM unnest($1, $2) AS u (seq, subscription) \
         CROSS JOIN LATERAL (SELECT e.account FROM @.event e WHERE e.seq = u.seq LIMIT 1) a \
         CROSS JOIN LATERAL (SELECT * FROM @.delivery d WHERE d.account = a.account \
         AND d.subscription = u.subscription AND d.event_seq = u.seq LIMIT 1) d {JOINS}"
    );
    let parameters = [(&events as _, Type::INT8_ARRAY), (&subscriptions as _, Type::INT8_ARRAY)];
    database.look_up(&sql, &parameters).await?.iter().map(delivery).collect()
}

const ATTEMPTS: &str = "SELECT t.attempt FROM (SELECT e.account FROM @.event e WHERE e.seq = $1 LIMIT 1) a \
     CROSS JOIN LATERAL (\
     SELECT -1 AS place, d.first_attempt AS attempt FROM @.delivery d WHERE d.account = a.account \
     AND d.subscription = $2 AND d.event_seq = $1 AND d.first_attempt IS NOT NULL \
     UNION ALL SELECT t.place, t.attempt FROM @.attempt t WHERE t.account = a.account \
     AND t.subscription = $2 AND t.event_seq = $1) t ORDER BY t.place";

/// A delivery's attempts: the one made before it had a row, then the others.
pub(crate) async fn attempts(database: &Database, key: DeliveryKey) -> Result<Vec<Attempt>, Error> {
    let parameters = [(&key.event.0 as _, Type::INT8), (&key.subscription.0 as _, Type::INT8)];
    let rows = database.look_up(ATTEMPTS, &parameters).await?;
    let attempt = |row: &Row| decode_attempt(get(row, "attempt")?).ok_or_else(|| corrupt("an attempt"));
    rows.iter().map(attempt).collect()
}

const MISSED: &str = "SELECT m.count, (SELECT e.created_at FROM @.event e WHERE e.seq = m.first LIMIT 1) AS oldest \
     FROM (SELECT count(*) AS count, min(d.event_seq) AS first FROM @.delivery d \
     WHERE d.subscription = $1 AND d.status = 3 AND d.status <> 0) m";

/// How many of a subscription's deliveries are dead.
pub(crate) async fn missed(database: &Database, subscription: SubscriptionNo) -> Result<Missed, Error> {
    let rows = database.read(MISSED, &[(&subscription.0 as _, Type::INT8)]).await?;
    let row = rows.first().ok_or_else(|| corrupt("a count"))?;
    Ok(Missed { count: get::<i64>(row, "count")?.cast_unsigned(), oldest: time_or_none(row, "oldest")? })
}

/// A page of those that have a row, newest first.
pub(crate) async fn list_deliveries(
    database: &Database,
    filter: &DeliveryFilter,
    page: &Page<DeliveryId>,
) -> Result<Vec<Delivery>, Error> {
    if filter.status == Some(DeliveryStatus::Pending) {
        return Ok(Vec::new());
    }
    let mut after = None;
    if let Some(id) = page.after {
        let Some(key) = key_of(database, id).await? else { return Ok(Vec::new()) };
        after = Some(key);
    }
    if filter.event.is_some() || (filter.subscription.is_none() && !waits_or_ended(filter)) {
        return of_events::list(database, filter, after, page.limit).await;
    }
    list_query(filter, after, page.limit).read(database, delivery).await
}

/// What a delivery's row is stored under, when there is one.
async fn key_of(database: &Database, id: DeliveryId) -> Result<Option<DeliveryKey>, Error> {
    let Some(seq) = seq_of(database, id.event).await? else { return Ok(None) };
    let mut query = Query::new(
        "SELECT d.event_seq, d.subscription FROM @.subscription s CROSS JOIN LATERAL \
         (SELECT * FROM @.delivery d WHERE d.account = s.account AND d.subscription = s.no) d",
    );
    query.given("d.event_seq = ?", Some(seq));
    query.given("s.uid = ?", Some(id.subscription.0));
    query.end("", 1);
    Ok(query.read(database, key).await?.pop())
}

/// Those that were delivered are in no index but that of all deliveries.
fn waits_or_ended(filter: &DeliveryFilter) -> bool {
    filter.status.is_some_and(|status| status != DeliveryStatus::Delivered)
}

/// The filter's part that is about events.
pub(super) fn about_events(filter: &DeliveryFilter) -> EventFilter {
    EventFilter {
        account: filter.account.clone(),
        event: filter.event_type.clone(),
        since: filter.since,
        until: filter.until,
    }
}

/// By the deliveries themselves: those of a subscription, or those in a status other than delivered.
pub(crate) fn list_query(filter: &DeliveryFilter, after: Option<DeliveryKey>, limit: usize) -> Query {
    let mut query = Query::new(format!("SELECT {COLUMNS} FROM @.delivery d {JOINS}"));
    query.given("d.subscription = ?", filter.subscription.map(|no| no.0));
    if !waits_or_ended(filter) {
        // The key of all deliveries begins with the account.
        let of = "d.account = (SELECT o.account FROM @.subscription o WHERE o.no = ?)";
        query.given(of, filter.subscription.map(|no| no.0));
    }
    query.given("d.account = ?", filter.account.as_ref().map(|id| id.as_str()));
    if let Some(code) = filter.status.and_then(delivery_status_code) {
        query.fixed(&format!("d.status = {code}"));
        if code != 0 {
            // Says no more, but lets the indexes over all but the delivered ones be used.
            query.fixed("d.status <> 0");
        }
    }
    query.given("e.name = ?", filter.event_type.as_ref().map(|name| name.as_str()));
    query.given("e.created_at >= ?", filter.since.map(Timestamp::as_millis));
    query.given("e.created_at < ?", filter.until.map(Timestamp::as_millis));
    if let Some(after) = after {
        query.given("d.event_seq <= ?", Some(after.event.0));
        let (event, subscription) = (after.event.0, after.subscription.0);
        query.given_two("(d.event_seq < ? OR d.subscription < ?)", event, subscription);
    }
    query.end(" ORDER BY d.event_seq DESC, d.subscription DESC", limit);
    query
}
