//! Reads a page of everything.

use std::collections::HashMap;

use resthooks::model::{
    EventId, EventSeq, Health, Progress, SequencedEvent, SubscriptionId, SubscriptionNo, Uid,
};
use resthooks::seal::Vault;
use resthooks::store::Error;
use resthooks::store::coding::{decode_attempt, delivery_status, reseal_document};
use resthooks::store::transfer::{
    Base64, Cursor, Item, Kind, MovedAccount, MovedDelivery, MovedEvent, MovedMatch, MovedSubscription, Text,
};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::control::{KEY_COLUMNS, audit_entry, key as api_key, read_settings, unreadable};
use crate::database::Database;
use crate::event_row::{COLUMNS, account, count, event, get, name, small_count, time, time_or_none, uid};
use crate::failure::corrupt;
use crate::value::{Uuid, count as most};

/// Once so many bytes of events are read, a page ends.
const ENOUGH_BYTES: i64 = 8 * 1024 * 1024;

type Found = Vec<(Item, Cursor)>;
type Keyed<T> = HashMap<(EventSeq, SubscriptionNo), T>;

const ACCOUNTS: &str = "SELECT id, created_at, settings FROM @.account WHERE id > $1 ORDER BY id LIMIT $2";
const EVENT_TYPES: &str = "SELECT name, document FROM @.event_type WHERE name > $1 ORDER BY name LIMIT $2";
const AUDIT: &str = "SELECT id, at, actor, action, object, account, changed, reason FROM @.audit WHERE id > $1 \
                     ORDER BY id LIMIT $2";
const SUBSCRIPTIONS: &str = "SELECT s.no, s.version, s.document, p.sequence, p.last_success_at, p.last_failure_at, \
                             p.failing_since, p.consecutive_failures, s.sealed_with FROM @.subscription s \
                             LEFT JOIN @.progress p ON p.subscription = s.no WHERE s.no > $1 ORDER BY s.no LIMIT $2";
const IDS: &str = "SELECT no, uid FROM @.subscription WHERE no = ANY ($1)";
const DELIVERIES: &str = "SELECT d.* FROM unnest($1, $2, $3) AS u (account, subscription, seq) CROSS JOIN LATERAL (\
                          SELECT * FROM @.delivery d WHERE d.account = u.account AND d.subscription = u.subscription \
                          AND d.event_seq = u.seq LIMIT 1) d";
const ATTEMPTS: &str = "SELECT a.event_seq, a.subscription, a.place, a.attempt \
                        FROM unnest($1, $2, $3) AS u (account, subscription, seq) CROSS JOIN LATERAL (\
                        SELECT * FROM @.attempt a WHERE a.account = u.account AND a.subscription = u.subscription \
                        AND a.event_seq = u.seq ORDER BY a.place) a";

/// What follows this cursor, of one kind.
pub(super) async fn page(
    database: &Database,
    vault: &Vault,
    after: &Cursor,
    limit: usize,
) -> Result<Found, Error> {
    let limit = most(limit);
    for kind in Kind::ALL.into_iter().filter(|kind| *kind >= after.kind()) {
        let from_start = kind > after.kind();
        let text = match after {
            Cursor::Account(id) if !from_start => id.as_str(),
            Cursor::EventType(name) if !from_start => name.as_str(),
            _ => "",
        };
        let number = match after {
            Cursor::Subscription(no) | Cursor::Event(no) if !from_start => *no,
            _ => 0,
        };
        // Nothing has the id that is all zeros.
        let unique = Uuid(match after {
            Cursor::ApiKey(id) if !from_start => id.0,
            Cursor::Audit(id) if !from_start => id.0,
            _ => Uid::ZERO,
        });
        let found = match kind {
            Kind::Account => rows(database, ACCOUNTS, (&text, Type::TEXT), limit, moved_account).await,
            Kind::EventType => {
                rows(database, EVENT_TYPES, (&text, Type::TEXT), limit, moved_event_type).await
            }
            Kind::ApiKey => {
                let keys = format!("{KEY_COLUMNS} WHERE id > $1 ORDER BY id LIMIT $2");
                rows(database, &keys, (&unique, Type::UUID), limit, moved_key).await
            }
            Kind::Subscription => {
                let read = |row: &Row| moved_subscription(row, vault);
                rows(database, SUBSCRIPTIONS, (&number, Type::INT8), limit, read).await
            }
            Kind::Audit => rows(database, AUDIT, (&unique, Type::UUID), limit, moved_audit).await,
            Kind::Event => events(database, number, limit).await,
        }?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

async fn rows(
    database: &Database,
    sql: &str,
    after: (&(dyn ToSql + Sync), Type),
    limit: i64,
    read: impl Fn(&Row) -> Result<(Item, Cursor), Error>,
) -> Result<Found, Error> {
    database.read(sql, &[after, (&limit, Type::INT8)]).await?.iter().map(read).collect()
}

fn moved_account(row: &Row) -> Result<(Item, Cursor), Error> {
    let id = account(row, "id")?;
    let created_at = time(row, "created_at")?;
    let moved = MovedAccount { id: id.clone(), created_at, settings: read_settings(row)? };
    Ok((Item::Account(moved), Cursor::Account(id)))
}

fn moved_event_type(row: &Row) -> Result<(Item, Cursor), Error> {
    let moved = serde_json::from_str(get(row, "document")?).map_err(|_| corrupt("an event type"))?;
    Ok((Item::EventType(Box::new(moved)), Cursor::EventType(name(row, "name")?)))
}

fn moved_key(row: &Row) -> Result<(Item, Cursor), Error> {
    let key = api_key(row)?;
    let id = key.id;
    Ok((Item::ApiKey(key.into()), Cursor::ApiKey(id)))
}

fn moved_audit(row: &Row) -> Result<(Item, Cursor), Error> {
    let entry = audit_entry(row)?;
    let id = entry.id;
    Ok((Item::Audit(Box::new(entry)), Cursor::Audit(id)))
}

fn moved_subscription(row: &Row, vault: &Vault) -> Result<(Item, Cursor), Error> {
    let document: &str = get(row, "document")?;
    // Nothing leaves in clear.
    let document = match get::<Option<&str>>(row, "sealed_with")? {
        None => serde_json::from_str(&reseal_document(document, vault).map_err(unreadable)?),
        Some(_) => serde_json::from_str(document),
    };
    let document = document.map_err(|_| corrupt("a subscription"))?;
    let progress = match get::<Option<i64>>(row, "sequence")? {
        None => None,
        Some(sequence) => Some(Progress {
            sequence: sequence.cast_unsigned(),
            health: Health {
                last_success_at: time_or_none(row, "last_success_at")?,
                last_failure_at: time_or_none(row, "last_failure_at")?,
                failing_since: time_or_none(row, "failing_since")?,
                consecutive_failures: count(row, "consecutive_failures")?,
            },
        }),
    };
    let moved =
        MovedSubscription { document, version: count(row, "version")?, progress: progress.map(Into::into) };
    Ok((Item::Subscription(Box::new(moved)), Cursor::Subscription(get(row, "no")?)))
}

async fn events(database: &Database, after: i64, limit: i64) -> Result<Found, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT e.*, sum(octet_length(e.data)) OVER (ORDER BY e.seq ROWS UNBOUNDED PRECEDING) \
         - octet_length(e.data) AS before FROM (SELECT * FROM @.event e WHERE e.seq > $1 AND NOT EXISTS (\
         SELECT FROM @.account_deletion x WHERE x.account = e.account AND e.seq <= x.through AND x.done_at IS NULL) \
         ORDER BY e.seq LIMIT $2) e) e WHERE e.before < $3 ORDER BY e.seq"
    );
    let parameters = [(&after as _, Type::INT8), (&limit as _, Type::INT8), (&ENOUGH_BYTES as _, Type::INT8)];
    let found: Vec<SequencedEvent> =
        database.read(&sql, &parameters).await?.iter().map(event).collect::<Result<_, _>>()?;
    let (mut accounts, mut subscriptions, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for event in &found {
        for one in &event.event.matched {
            accounts.push(event.event.account.as_str());
            subscriptions.push(one.subscription.0);
            numbers.push(event.seq.0);
        }
    }
    let mut known = Known::default();
    if !numbers.is_empty() {
        let keys = [
            (&accounts as &(dyn ToSql + Sync), Type::TEXT_ARRAY),
            (&subscriptions, Type::INT8_ARRAY),
            (&numbers, Type::INT8_ARRAY),
        ];
        for row in &database.read(IDS, &[(&subscriptions, Type::INT8_ARRAY)]).await? {
            known.ids.insert(SubscriptionNo(get(row, "no")?), SubscriptionId(uid(row, "uid")?));
        }
        for row in &database.read(DELIVERIES, &keys).await? {
            known.deliveries.insert(key(row)?, delivery(row)?);
        }
        for row in &database.read(ATTEMPTS, &keys).await? {
            let attempt = decode_attempt(get(row, "attempt")?).ok_or_else(|| corrupt("an attempt"))?;
            if let Some(delivery) = known.deliveries.get_mut(&key(row)?) {
                delivery.later_attempts.push((i64::from(get::<i32>(row, "place")?), attempt));
            }
        }
    }
    found.iter().map(|event| known.moved(event)).collect()
}

fn key(row: &Row) -> Result<(EventSeq, SubscriptionNo), Error> {
    Ok((EventSeq(get(row, "event_seq")?), SubscriptionNo(get(row, "subscription")?)))
}

fn delivery(row: &Row) -> Result<MovedDelivery, Error> {
    let first: Option<&[u8]> = get(row, "first_attempt")?;
    let status = delivery_status(i64::from(get::<i16>(row, "status")?));
    Ok(MovedDelivery {
        status: status.ok_or_else(|| corrupt("a delivery's status"))?,
        reason: get(row, "reason")?,
        attempts: small_count(row, "attempts")?,
        automatic: small_count(row, "automatic")?,
        next_attempt_at: time_or_none(row, "next_attempt_at")?,
        updated_at: time(row, "updated_at")?,
        plan_key: get::<Option<Vec<u8>>>(row, "plan_key")?.map(|key| Base64(key.into())),
        plan_group: get::<Option<i64>>(row, "plan_group")?.map(i64::cast_unsigned),
        first_attempt: first
            .map(|first| decode_attempt(first).ok_or_else(|| corrupt("an attempt")))
            .transpose()?,
        later_attempts: Vec::new(),
    })
}

/// What a page's events are put together with.
#[derive(Default)]
struct Known {
    ids: HashMap<SubscriptionNo, SubscriptionId>,
    deliveries: Keyed<MovedDelivery>,
}

impl Known {
    fn moved(&mut self, found: &SequencedEvent) -> Result<(Item, Cursor), Error> {
        let event = &found.event;
        let mut matched = Vec::with_capacity(event.matched.len());
        for one in &event.matched {
            let id = self.ids.get(&one.subscription);
            matched.push(MovedMatch {
                subscription: *id.ok_or_else(|| corrupt("a subscription that an event matched"))?,
                sequence: one.sequence,
                delivery: self.deliveries.remove(&(found.seq, one.subscription)),
            });
        }
        let moved = MovedEvent {
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
        };
        Ok((Item::Event(Box::new(moved)), Cursor::Event(found.seq.0)))
    }
}
