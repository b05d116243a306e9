//! Deliveries by their events, newest first: what an event matched is in its row, and each of those deliveries is found
//! by its key. For lists that no index over deliveries fits: of everything, of an account, of a type, of one event.

use resthooks::model::{Delivery, DeliveryKey, Match, SubscriptionNo};
use resthooks::store::coding::{decode_matched, delivery_status_code};
use resthooks::store::{DeliveryFilter, Error};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::delivery::{COLUMNS, JOINS, about_events, delivery};
use super::event::list_query;
use crate::database::Database;
use crate::event_row::get;
use crate::failure::corrupt;
use crate::query::Query;

/// So many events are looked at first, and more and more when they have few deliveries that fit.
const FEWEST: usize = 64;
const MOST: usize = 2_048;
/// So many deliveries are looked up at once.
const KEYS: usize = 5_000;

/// Events that match nothing have nothing to show.
const HAS_MATCHES: &str = "e.matched <> '\\x00'";

struct Candidate {
    seq: i64,
    account: String,
    matched: Vec<Match>,
}

/// A page of them.
pub(super) async fn list(
    database: &Database,
    filter: &DeliveryFilter,
    after: Option<DeliveryKey>,
    limit: usize,
) -> Result<Vec<Delivery>, Error> {
    let mut found = Vec::new();
    let mut last = after.map_or(i64::MAX, |key| key.event.0);
    let mut count = FEWEST;
    loop {
        let events = candidates(database, filter, last, count).await?;
        let Some(oldest) = events.last().map(|event| event.seq) else { return Ok(found) };
        let keys = events.iter().flat_map(|event| keys_of(event, filter, after));
        let keys: Vec<(&str, i64, i64)> = keys.collect();
        for part in keys.chunks(KEYS) {
            found.extend(rows(database, filter, part, limit - found.len()).await?);
            if found.len() >= limit {
                return Ok(found);
            }
        }
        if filter.event.is_some() || events.len() < count {
            return Ok(found);
        }
        last = oldest - 1;
        count = (count * 2).min(MOST);
    }
}

async fn candidates(
    database: &Database,
    filter: &DeliveryFilter,
    last: i64,
    count: usize,
) -> Result<Vec<Candidate>, Error> {
    const COLUMNS: &str = "e.seq, e.account, e.matched";
    let of_events = about_events(filter);
    let query = match filter.event {
        Some(seq) if seq.0 > last => return Ok(Vec::new()),
        Some(seq) => {
            let mut one = Query::new(format!("SELECT {COLUMNS} FROM @.event e"));
            one.given("e.seq = ?", Some(seq.0));
            one.given("e.account = ?", of_events.account.as_ref().map(|id| id.as_str()));
            one.given("e.name = ?", of_events.event.as_ref().map(|name| name.as_str()));
            one.given("e.created_at >= ?", of_events.since.map(|at| at.as_millis()));
            one.given("e.created_at < ?", of_events.until.map(|at| at.as_millis()));
            one.end("", 1);
            one
        }
        None => list_query(COLUMNS, &of_events, &[HAS_MATCHES], last, count),
    };
    query.read(database, candidate).await
}

fn candidate(row: &Row) -> Result<Candidate, Error> {
    Ok(Candidate {
        seq: get(row, "seq")?,
        account: get(row, "account")?,
        matched: decode_matched(get(row, "matched")?).ok_or_else(|| corrupt("what an event matched"))?,
    })
}

/// An event's deliveries in the order of the list: the newest subscription first.
fn keys_of<'a>(
    event: &'a Candidate,
    filter: &DeliveryFilter,
    after: Option<DeliveryKey>,
) -> impl Iterator<Item = (&'a str, i64, i64)> {
    let below = after.filter(|key| key.event.0 == event.seq).map_or(i64::MAX, |key| key.subscription.0);
    let only: Option<SubscriptionNo> = filter.subscription;
    let numbers = event.matched.iter().rev().map(|one| one.subscription);
    numbers
        .filter(move |no| no.0 < below && only.is_none_or(|only| only == *no))
        .map(|no| (event.account.as_str(), no.0, event.seq))
}

/// Those of these that have a row and fit, in this order.
async fn rows(
    database: &Database,
    filter: &DeliveryFilter,
    keys: &[(&str, i64, i64)],
    limit: usize,
) -> Result<Vec<Delivery>, Error> {
    let accounts: Vec<&str> = keys.iter().map(|key| key.0).collect();
    let subscriptions: Vec<i64> = keys.iter().map(|key| key.1).collect();
    let events: Vec<i64> = keys.iter().map(|key| key.2).collect();
    let status = filter.status.and_then(delivery_status_code);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS} FROM unnest($1, $2, $3) WITH ORDINALITY AS u (account, subscription, seq, place) \
         CROSS JOIN LATERAL (SELECT * FROM @.delivery d WHERE d.account = u.account \
         AND d.subscription = u.subscription AND d.event_seq = u.seq AND ($4 IS NULL OR d.status = $4) LIMIT 1) d \
         {JOINS} ORDER BY u.place LIMIT $5"
    );
    let parameters = [
        (&accounts as _, Type::TEXT_ARRAY),
        (&subscriptions as _, Type::INT8_ARRAY),
        (&events as _, Type::INT8_ARRAY),
        (&status as _, Type::INT8),
        (&limit as _, Type::INT8),
    ];
    database.look_up(&sql, &parameters).await?.iter().map(delivery).collect()
}
