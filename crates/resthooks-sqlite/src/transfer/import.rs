//! Adds what is not there.

use std::collections::HashMap;

use resthooks::model::{ApiKey, Health, KeyRole, Match, Progress, SubscriptionId, SubscriptionNo, Timestamp};
use resthooks::store::Error;
use resthooks::store::coding::{delivery_status_code, encode_attempt, encode_matched, open_subscription};
use resthooks::store::transfer::{
    Item, MovedAccount, MovedDelivery, MovedEvent, MovedKey, MovedProgress, MovedSubscription,
};
use rusqlite::{Connection, OptionalExtension as _, Params};

use crate::control::{
    insert_key, insert_subscription, put_event_type, unreadable, write_audit, written_settings,
};
use crate::failure::from_sqlite;
use crate::memory::account_no;
use crate::writer::Work;

/// Adds those that are not there; how many that were.
pub(super) fn all(work: &mut Work<'_>, items: Vec<Item>) -> Result<usize, Error> {
    let mut numbers = HashMap::new();
    let mut added = 0;
    for item in items {
        let is_new = match item {
            Item::Account(moved) => add_account(work, &moved)?,
            Item::EventType(moved) => {
                let there = exists(
                    work.connection,
                    "SELECT 1 FROM event_type WHERE name = ?1",
                    [moved.name.as_str()],
                )?;
                if !there {
                    put_event_type(work, &moved, None)?;
                }
                !there
            }
            Item::ApiKey(moved) => add_key(work, moved)?,
            Item::Subscription(moved) => add_subscription(work, &moved)?,
            Item::Audit(entry) => {
                let there =
                    exists(work.connection, "SELECT 1 FROM audit WHERE uid = ?1", [entry.id.0.to_bytes()])?;
                if !there {
                    write_audit(work.connection, Some(&entry))?;
                }
                !there
            }
            Item::Event(moved) => add_event(work, &moved, &mut numbers)?,
        };
        added += usize::from(is_new);
    }
    work.memory.end_period(work.connection).map_err(from_sqlite)?;
    Ok(added)
}

fn exists(connection: &Connection, sql: &str, key: impl Params) -> Result<bool, Error> {
    connection.prepare_cached(sql).and_then(|mut ask| ask.exists(key)).map_err(from_sqlite)
}

fn execute(connection: &Connection, sql: &str, values: impl Params) -> Result<usize, Error> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map_err(from_sqlite)
}

fn unsound(what: impl std::fmt::Display) -> Error {
    Error::Corrupt(format!("what is to be imported: {what}"))
}

fn add_account(work: &mut Work<'_>, moved: &MovedAccount) -> Result<bool, Error> {
    if account_no(work.connection, &moved.id)?.is_some() {
        return Ok(false);
    }
    let no = work.memory.account(work.connection, &moved.id, moved.created_at)?;
    let settings = written_settings(&moved.settings)?;
    execute(work.connection, "UPDATE account SET settings = ?2 WHERE no = ?1", (no, settings))?;
    Ok(true)
}

fn add_key(work: &mut Work<'_>, moved: MovedKey) -> Result<bool, Error> {
    let key = ApiKey::try_from(moved).map_err(unsound)?;
    let there = "SELECT 1 FROM api_key WHERE id = ?1 OR hash = ?2";
    if exists(work.connection, there, (key.id.0.to_bytes(), key.hash.0))? {
        return Ok(false);
    }
    if let KeyRole::Consumer(account) = &key.role {
        work.memory.account(work.connection, account, key.created_at)?;
    }
    insert_key(work, &key, None)?;
    Ok(true)
}

fn add_subscription(work: &mut Work<'_>, moved: &MovedSubscription) -> Result<bool, Error> {
    let uid = moved.id().map_err(unsound)?.0.to_bytes();
    if exists(work.connection, "SELECT 1 FROM subscription WHERE uid = ?1", [uid])? {
        return Ok(false);
    }
    // With whichever key it was sealed where it comes from.
    let subscription = open_subscription(&moved.document.to_string(), work.vault).map_err(unreadable)?;
    let no = insert_subscription(work, &subscription, None)?;
    let version = "UPDATE subscription SET version = ?2 WHERE no = ?1";
    execute(work.connection, version, (no.0, moved.version))?;
    let progress =
        moved.progress.unwrap_or_else(|| Progress { sequence: 0, health: Health::default() }.into());
    let MovedProgress { sequence, last_success_at, last_failure_at, failing_since, consecutive_failures } =
        progress;
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    execute(
        work.connection,
        "UPDATE progress SET sequence = ?2, last_success_at = ?3, last_failure_at = ?4, failing_since = ?5, \
         consecutive_failures = ?6 WHERE subscription = ?1",
        (
            no.0,
            sequence,
            millis(last_success_at),
            millis(last_failure_at),
            millis(failing_since),
            consecutive_failures,
        ),
    )?;
    Ok(true)
}

fn add_event(
    work: &mut Work<'_>,
    moved: &MovedEvent,
    numbers: &mut HashMap<SubscriptionId, SubscriptionNo>,
) -> Result<bool, Error> {
    let uid = moved.unique().map_err(unsound)?;
    let account = work.memory.account(work.connection, &moved.account, moved.created_at)?;
    if exists(work.connection, "SELECT 1 FROM event WHERE uid = ?1", [uid.to_bytes()])?
        || exists(
            work.connection,
            "SELECT 1 FROM event_id WHERE id = ?1 AND account = ?2",
            (moved.id.as_str(), account),
        )?
    {
        return Ok(false);
    }
    let mut matched = Vec::with_capacity(moved.matched.len());
    for one in &moved.matched {
        let no = subscription_no(work.connection, one.subscription, numbers)?;
        matched.push((Match { subscription: no, sequence: one.sequence }, one.delivery.as_ref()));
    }
    matched.sort_by_key(|(one, _)| one.subscription);
    let seq = insert_event(work, moved, account, &matched)?;
    let mut recorded = true;
    for (one, delivery) in &matched {
        match delivery {
            Some(delivery) => insert_delivery(work.connection, seq, account, *one, delivery)?,
            None => recorded = false,
        }
    }
    if recorded {
        // As far as all have rows, the next start has nothing to look at.
        let raise = "UPDATE position SET watermark = ?1 WHERE watermark = ?1 - 1";
        execute(work.connection, raise, [seq])?;
    }
    Ok(true)
}

fn subscription_no(
    connection: &Connection,
    id: SubscriptionId,
    numbers: &mut HashMap<SubscriptionId, SubscriptionNo>,
) -> Result<SubscriptionNo, Error> {
    if let Some(no) = numbers.get(&id) {
        return Ok(*no);
    }
    let found = connection
        .prepare_cached("SELECT no FROM subscription WHERE uid = ?1")
        .and_then(|mut ask| ask.query_row([id.0.to_bytes()], |row| row.get(0)).optional())
        .map_err(from_sqlite)?;
    let no = SubscriptionNo(found.ok_or_else(|| unsound(format_args!("there is no subscription {id}")))?);
    numbers.insert(id, no);
    Ok(no)
}

fn insert_event(
    work: &mut Work<'_>,
    moved: &MovedEvent,
    account: i64,
    matched: &[(Match, Option<&MovedDelivery>)],
) -> Result<i64, Error> {
    let uid = moved.unique().map_err(unsound)?;
    let name = work.memory.name(work.connection, &moved.event)?;
    let seq = work.memory.number(moved.created_at);
    let ours = moved.digest.is_none() && moved.id.as_generated() == Some(uid);
    let own_id = (!ours).then_some(moved.id.as_str());
    let matches: Vec<Match> = matched.iter().map(|(one, _)| *one).collect();
    let mut coded = Vec::new();
    encode_matched(&matches, &mut coded);
    execute(
        work.connection,
        "INSERT INTO event (seq, uid, account, name, created_at, id, digest, resource_url, order_key, debounce_key, \
         matched, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        rusqlite::params![
            seq,
            uid.to_bytes(),
            account,
            name,
            moved.created_at.as_millis(),
            own_id,
            moved.digest.as_ref().map(|digest| &digest.0[..]),
            moved.resource_url,
            moved.order_key,
            moved.debounce_key,
            coded,
            &moved.data.0[..],
        ],
    )?;
    if let Some(id) = own_id {
        let insert = "INSERT INTO event_id (id, account, seq) VALUES (?1, ?2, ?3)";
        execute(work.connection, insert, (id, account, seq))?;
    }
    Ok(seq)
}

fn insert_delivery(
    connection: &Connection,
    event: i64,
    account: i64,
    one: Match,
    moved: &MovedDelivery,
) -> Result<(), Error> {
    let status =
        delivery_status_code(moved.status).ok_or_else(|| unsound("a pending delivery with a row"))?;
    let mut coded = Vec::new();
    if let Some(first) = &moved.first_attempt {
        encode_attempt(first, &mut coded);
    }
    execute(
        connection,
        "INSERT INTO delivery (event_seq, subscription, account, status, sequence, attempts, automatic, next_attempt_at, \
         updated_at, reason, first_attempt, plan_key, plan_group) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        rusqlite::params![
            event,
            one.subscription.0,
            account,
            status,
            one.sequence,
            moved.attempts,
            moved.automatic,
            moved.next_attempt_at.map(Timestamp::as_millis),
            moved.updated_at.as_millis(),
            moved.reason,
            moved.first_attempt.is_some().then_some(coded),
            moved.plan_key.as_ref().map(|key| key.0.to_vec()),
            moved.plan_group,
        ],
    )?;
    for (place, attempt) in &moved.later_attempts {
        let mut coded = Vec::new();
        encode_attempt(attempt, &mut coded);
        execute(
            connection,
            "INSERT INTO attempt (event_seq, subscription, place, attempt) VALUES (?1, ?2, ?3, ?4)",
            (event, one.subscription.0, place, coded),
        )?;
    }
    Ok(())
}
