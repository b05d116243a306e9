//! Reads a page of everything.

use std::collections::HashMap;

use resthooks::model::{
    EventId, EventType, Health, Progress, SequencedEvent, SubscriptionId, SubscriptionNo, Timestamp,
};
use resthooks::seal::Vault;
use resthooks::store::Error;
use resthooks::store::coding::{decode_attempt, delivery_status, reseal_document};
use resthooks::store::transfer::{
    Base64, Cursor, Item, Kind, MovedAccount, MovedDelivery, MovedEvent, MovedMatch, MovedSubscription, Text,
};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::control::{AUDIT_IN_ORDER, KEYS, audit_entry, key, read_settings, unreadable};
use crate::event_row::{COLUMNS, JOINS, account, blob, event, get, name, text, uid};
use crate::failure::{corrupt, from_sqlite};

/// Once so many bytes of events are read, a page ends.
const ENOUGH_BYTES: usize = 8 * 1024 * 1024;

type Found = Vec<(Item, Cursor)>;

/// What follows this cursor, of one kind.
pub(super) fn page(
    connection: &Connection,
    vault: &Vault,
    after: &Cursor,
    limit: usize,
) -> Result<Found, Error> {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind >= after.kind()) {
        let found = match (kind, after) {
            (Kind::Account, Cursor::Account(id)) => accounts(connection, id.as_str(), limit),
            (Kind::Account, _) => accounts(connection, "", limit),
            (Kind::EventType, Cursor::EventType(name)) => event_types(connection, name.as_str(), limit),
            (Kind::EventType, _) => event_types(connection, "", limit),
            (Kind::ApiKey, Cursor::ApiKey(id)) => keys(connection, &id.0.to_bytes(), limit),
            (Kind::ApiKey, _) => keys(connection, &[], limit),
            (Kind::Subscription, Cursor::Subscription(no)) => subscriptions(connection, vault, *no, limit),
            (Kind::Subscription, _) => subscriptions(connection, vault, 0, limit),
            (Kind::Audit, Cursor::Audit(id)) => audit(connection, &id.0.to_bytes(), limit),
            (Kind::Audit, _) => audit(connection, &[], limit),
            (Kind::Event, Cursor::Event(seq)) => events(connection, *seq, limit),
            (Kind::Event, _) => events(connection, 0, limit),
        }?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Reads rows, of which the statement's last parameter is the most.
fn rows<T>(
    connection: &Connection,
    sql: &str,
    after: impl Into<Value>,
    limit: usize,
    mut read: impl FnMut(&Row<'_>) -> Result<Option<T>, Error>,
) -> Result<Vec<T>, Error> {
    let mut ask = connection.prepare_cached(sql).map_err(from_sqlite)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = ask.query(params_from_iter([after.into(), Value::Integer(limit)])).map_err(from_sqlite)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        let Some(item) = read(row)? else { break };
        found.push(item);
    }
    Ok(found)
}

fn accounts(connection: &Connection, after: &str, limit: usize) -> Result<Found, Error> {
    let sql = "SELECT id, created_at, settings FROM account WHERE id > ?1 ORDER BY id LIMIT ?2";
    rows(connection, sql, after.to_owned(), limit, |row| {
        let id = account(row, 0)?;
        let created_at = Timestamp::from_millis(get(row, 1)?);
        let moved = MovedAccount { id: id.clone(), created_at, settings: read_settings(row, 2)? };
        Ok(Some((Item::Account(moved), Cursor::Account(id))))
    })
}

fn event_types(connection: &Connection, after: &str, limit: usize) -> Result<Found, Error> {
    let sql = "SELECT name, document FROM event_type WHERE name > ?1 ORDER BY name LIMIT ?2";
    rows(connection, sql, after.to_owned(), limit, |row| {
        let moved: EventType = serde_json::from_str(text(row, 1)?).map_err(|_| corrupt("an event type"))?;
        Ok(Some((Item::EventType(Box::new(moved)), Cursor::EventType(name(row, 0)?))))
    })
}

fn keys(connection: &Connection, after: &[u8], limit: usize) -> Result<Found, Error> {
    let sql = format!("{KEYS} WHERE k.id > ?1 ORDER BY k.id LIMIT ?2");
    rows(connection, &sql, after.to_vec(), limit, |row| {
        let key = key(row)?;
        let id = key.id;
        Ok(Some((Item::ApiKey(key.into()), Cursor::ApiKey(id))))
    })
}

fn audit(connection: &Connection, after: &[u8], limit: usize) -> Result<Found, Error> {
    rows(connection, AUDIT_IN_ORDER, after.to_vec(), limit, |row| {
        let entry = audit_entry(row)?;
        let id = entry.id;
        Ok(Some((Item::Audit(Box::new(entry)), Cursor::Audit(id))))
    })
}

fn subscriptions(connection: &Connection, vault: &Vault, after: i64, limit: usize) -> Result<Found, Error> {
    let sql = "SELECT s.no, s.version, s.document, p.sequence, p.last_success_at, p.last_failure_at, p.failing_since, \
               p.consecutive_failures, s.sealed_with IS NULL FROM subscription s LEFT JOIN progress p ON p.subscription = s.no \
               WHERE s.no > ?1 ORDER BY s.no LIMIT ?2";
    let at = |row: &Row<'_>, column| Ok(get::<Option<i64>>(row, column)?.map(Timestamp::from_millis));
    rows(connection, sql, after, limit, |row| {
        let document = text(row, 2)?;
        // Nothing leaves in clear.
        let document = if get(row, 8)? {
            serde_json::from_str(&reseal_document(document, vault).map_err(unreadable)?)
        } else {
            serde_json::from_str(document)
        };
        let progress = match get::<Option<u64>>(row, 3)? {
            None => None,
            Some(sequence) => Some(Progress {
                sequence,
                health: Health {
                    last_success_at: at(row, 4)?,
                    last_failure_at: at(row, 5)?,
                    failing_since: at(row, 6)?,
                    consecutive_failures: get(row, 7)?,
                },
            }),
        };
        let document = document.map_err(|_| corrupt("a subscription"))?;
        let moved = MovedSubscription { document, version: get(row, 1)?, progress: progress.map(Into::into) };
        Ok(Some((Item::Subscription(Box::new(moved)), Cursor::Subscription(get(row, 0)?))))
    })
}

fn events(connection: &Connection, after: i64, limit: usize) -> Result<Found, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM event e {JOINS} WHERE e.seq > ?1 AND NOT EXISTS (SELECT 1 FROM account_deletion d \
         WHERE d.account = e.account AND e.seq <= d.through) ORDER BY e.seq LIMIT ?2"
    );
    let (mut ids, mut bytes) = (HashMap::new(), 0);
    rows(connection, &sql, after, limit, |row| {
        if bytes >= ENOUGH_BYTES {
            return Ok(None);
        }
        let found = event(row)?;
        bytes += found.event.data.len();
        let moved = moved_event(connection, &found, &mut ids, &mut bytes)?;
        Ok(Some((Item::Event(Box::new(moved)), Cursor::Event(found.seq.0))))
    })
}

fn moved_event(
    connection: &Connection,
    found: &SequencedEvent,
    ids: &mut HashMap<SubscriptionNo, SubscriptionId>,
    bytes: &mut usize,
) -> Result<MovedEvent, Error> {
    let event = &found.event;
    let mut matched = Vec::with_capacity(event.matched.len());
    for one in &event.matched {
        let subscription = match ids.get(&one.subscription) {
            Some(id) => *id,
            None => *ids.entry(one.subscription).or_insert(subscription_id(connection, one.subscription)?),
        };
        let delivery = delivery(connection, found.seq.0, one.subscription.0, bytes)?;
        matched.push(MovedMatch { subscription, sequence: one.sequence, delivery });
    }
    Ok(MovedEvent {
        uid: EventId::generated(event.uid),
        id: event.id.clone(),
        account: event.account.clone(),
        event: event.event.clone(),
        created_at: event.created_at,
        data: Text(event.data.clone()),
        resource_url: event.resource_url.clone(),
        order_key: event.order_key.clone(),
        debounce_key: event.debounce_key.clone(),
        digest: event.digest.map(|digest| Base64(digest.to_vec().into())),
        matched,
    })
}

fn subscription_id(connection: &Connection, no: SubscriptionNo) -> Result<SubscriptionId, Error> {
    let mut ask =
        connection.prepare_cached("SELECT uid FROM subscription WHERE no = ?1").map_err(from_sqlite)?;
    let mut rows = ask.query([no.0]).map_err(from_sqlite)?;
    let row =
        rows.next().map_err(from_sqlite)?.ok_or_else(|| corrupt("a subscription that an event matched"))?;
    uid(row, 0).map(SubscriptionId)
}

fn delivery(
    connection: &Connection,
    event: i64,
    subscription: i64,
    bytes: &mut usize,
) -> Result<Option<MovedDelivery>, Error> {
    let sql = "SELECT status, reason, attempts, automatic, next_attempt_at, updated_at, first_attempt, plan_key, \
               plan_group FROM delivery \
               WHERE event_seq = ?1 AND subscription = ?2";
    let mut ask = connection.prepare_cached(sql).map_err(from_sqlite)?;
    let mut rows = ask.query([event, subscription]).map_err(from_sqlite)?;
    let Some(row) = rows.next().map_err(from_sqlite)? else { return Ok(None) };
    let mut attempt = |bytes_of: &[u8]| {
        *bytes += bytes_of.len();
        decode_attempt(bytes_of).ok_or_else(|| corrupt("an attempt"))
    };
    let first_attempt = match get::<Option<Vec<u8>>>(row, 6)? {
        Some(first) => Some(attempt(&first)?),
        None => None,
    };
    let mut later = connection
        .prepare_cached(
            "SELECT place, attempt FROM attempt WHERE event_seq = ?1 AND subscription = ?2 ORDER BY place",
        )
        .map_err(from_sqlite)?;
    let mut places = later.query([event, subscription]).map_err(from_sqlite)?;
    let mut later_attempts = Vec::new();
    while let Some(row) = places.next().map_err(from_sqlite)? {
        later_attempts.push((get(row, 0)?, attempt(blob(row, 1)?)?));
    }
    let next: Option<i64> = get(row, 4)?;
    Ok(Some(MovedDelivery {
        status: delivery_status(get(row, 0)?).ok_or_else(|| corrupt("a delivery's status"))?,
        reason: get(row, 1)?,
        attempts: get(row, 2)?,
        automatic: get(row, 3)?,
        next_attempt_at: next.map(Timestamp::from_millis),
        updated_at: Timestamp::from_millis(get(row, 5)?),
        plan_key: get::<Option<Vec<u8>>>(row, 7)?.map(|key| Base64(key.into())),
        plan_group: get(row, 8)?,
        first_attempt,
        later_attempts,
    }))
}
