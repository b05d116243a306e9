//! Adds what is not there.

use std::collections::HashMap;
use std::time::Duration;

use resthooks::model::{AccountId, ApiKey, AuditEntry, KeyRole, SubscriptionId, SubscriptionNo, Timestamp};
use resthooks::seal::Vault;
use resthooks::store::Error;
use resthooks::store::coding::{open_subscription, seal_subscription, subscription_status_code};
use resthooks::store::transfer::{Item, MovedEvent, MovedKey, MovedSubscription};
use tokio_postgres::types::Type;

use super::columns::Columns;
use crate::control::{changed, unreadable, written_settings};
use crate::database::{Database, Parameter, Way};
use crate::event_row::{get, uid};
use crate::failure::corrupt;
use crate::numbers::numbers_around;
use crate::value::{Uuid, readable};

/// What was imported before is being taken over by a node, which takes some moments.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn unsound(what: impl std::fmt::Display) -> Error {
    Error::Corrupt(format!("what is to be imported: {what}"))
}

/// Adds those that are not there; how many that were.
pub(super) async fn all(database: &Database, vault: &Vault, items: Vec<Item>) -> Result<usize, Error> {
    let mut added = 0;
    let (mut entries, mut events) = (Vec::new(), Vec::new());
    for item in items {
        // Those that other things may speak of come first; what there is much of is added together.
        match item {
            Item::Event(moved) => events.push(moved),
            Item::Audit(entry) => entries.push(entry),
            other => added += usize::from(add(database, vault, other).await?),
        }
    }
    if !entries.is_empty() {
        added += add_audit(database, &entries).await?;
    }
    if !events.is_empty() {
        added += add_events(database, &events).await?;
    }
    Ok(added)
}

async fn add(database: &Database, vault: &Vault, item: Item) -> Result<bool, Error> {
    match item {
        Item::Account(moved) => {
            let (id, at) = (moved.id.as_str(), moved.created_at.as_millis());
            let settings = written_settings(&moved.settings)?;
            let parameters: [Parameter<'_>; 3] =
                [(&id, Type::TEXT), (&at, Type::INT8), (&settings, Type::TEXT)];
            ask(database, "SELECT @.import_account($1, $2, $3) AS added", &parameters).await
        }
        Item::EventType(moved) => {
            let document = serde_json::to_string(&moved).map_err(unsound)?;
            let sql = "SELECT @.import_event_type($1, $2) AS added";
            ask(database, sql, &[(&moved.name.as_str(), Type::TEXT), (&document, Type::TEXT)]).await
        }
        Item::ApiKey(moved) => add_key(database, moved).await,
        Item::Subscription(moved) => add_subscription(database, vault, &moved).await,
        Item::Audit(entry) => Ok(add_audit(database, &[entry]).await? > 0),
        Item::Event(moved) => Ok(add_events(database, &[moved]).await? > 0),
    }
}

async fn ask(database: &Database, sql: &str, parameters: &[Parameter<'_>]) -> Result<bool, Error> {
    let rows = database.repeat(Way::Any, sql, parameters).await?;
    rows.first().map_or_else(|| Err(corrupt("an answer")), |row| get(row, "added"))
}

async fn add_key(database: &Database, moved: MovedKey) -> Result<bool, Error> {
    let key = ApiKey::try_from(moved).map_err(unsound)?;
    let account = match &key.role {
        KeyRole::Provider => None,
        KeyRole::Consumer(id) => Some(id.as_str()),
    };
    let parameters = [
        (&Uuid(key.id.0) as _, Type::UUID),
        (&&key.hash.0[..] as _, Type::BYTEA),
        (&account as _, Type::TEXT),
        (&key.name.as_deref().map(str::as_bytes) as _, Type::BYTEA),
        (&key.created_at.as_millis() as _, Type::INT8),
        (&key.access.code() as _, Type::INT2),
        (&key.expires_at.map(Timestamp::as_millis) as _, Type::INT8),
        (&key.last_used_at.map(Timestamp::as_millis) as _, Type::INT8),
    ];
    ask(database, "SELECT @.import_key($1, $2, $3, $4, $5, $6, $7, $8) AS added", &parameters).await
}

async fn add_audit(database: &Database, entries: &[Box<AuditEntry>]) -> Result<usize, Error> {
    let of = |text: fn(&AuditEntry) -> &str| -> Vec<String> {
        entries.iter().map(|entry| readable(text(entry)).into_owned()).collect()
    };
    let ids: Vec<Uuid> = entries.iter().map(|entry| Uuid(entry.id.0)).collect();
    let times: Vec<i64> = entries.iter().map(|entry| entry.at.as_millis()).collect();
    let accounts: Vec<Option<&str>> =
        entries.iter().map(|entry| entry.account.as_ref().map(AccountId::as_str)).collect();
    let changes: Vec<String> = entries.iter().map(|entry| changed(entry)).collect::<Result<_, _>>()?;
    let reasons: Vec<Option<String>> = entries
        .iter()
        .map(|entry| entry.reason.as_deref().map(|reason| readable(reason).into_owned()))
        .collect();
    let parameters: [Parameter<'_>; 8] = [
        (&ids, Type::UUID_ARRAY),
        (&times, Type::INT8_ARRAY),
        (&of(|entry| entry.actor.as_str()), Type::TEXT_ARRAY),
        (&of(|entry| entry.action.as_str()), Type::TEXT_ARRAY),
        (&of(|entry| &entry.object), Type::TEXT_ARRAY),
        (&accounts, Type::TEXT_ARRAY),
        (&changes, Type::TEXT_ARRAY),
        (&reasons, Type::TEXT_ARRAY),
    ];
    let sql = "SELECT @.import_audit($1, $2, $3, $4, $5, $6, $7, $8) AS added";
    added(&database.repeat(Way::Any, sql, &parameters).await?)
}

async fn add_subscription(
    database: &Database,
    vault: &Vault,
    moved: &MovedSubscription,
) -> Result<bool, Error> {
    let uid = Uuid(moved.id().map_err(unsound)?.0);
    let there = "SELECT EXISTS (SELECT FROM @.subscription WHERE uid = $1) AS added";
    if ask(database, there, &[(&uid, Type::UUID)]).await? {
        return Ok(false);
    }
    // With whichever key it was sealed where it comes from.
    let subscription = &open_subscription(&moved.document.to_string(), vault).map_err(unreadable)?;
    let (document, key) = (seal_subscription(subscription, vault), vault.sealing_id());
    let status = i16::try_from(subscription_status_code(subscription.status)).unwrap_or(i16::MAX);
    let patterns =
        subscription.events.iter().fold(" ".to_owned(), |all, pattern| all + pattern.as_str() + " ");
    let progress = moved.progress.as_ref();
    let at = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let parameters = [
        (&Uuid(subscription.id.0) as _, Type::UUID),
        (&subscription.account.as_str() as _, Type::TEXT),
        (&status as _, Type::INT2),
        (&subscription.target_url.as_str() as _, Type::TEXT),
        (&patterns as _, Type::TEXT),
        (&document as _, Type::TEXT),
        (&key as _, Type::TEXT),
        (&subscription.created_at.as_millis() as _, Type::INT8),
        (&moved.version.cast_signed() as _, Type::INT8),
        (&progress.map_or(0, |p| p.sequence.cast_signed()) as _, Type::INT8),
        (&progress.and_then(|p| at(p.last_success_at)) as _, Type::INT8),
        (&progress.and_then(|p| at(p.last_failure_at)) as _, Type::INT8),
        (&progress.and_then(|p| at(p.failing_since)) as _, Type::INT8),
        (&progress.map_or(0, |p| p.consecutive_failures.cast_signed()) as _, Type::INT8),
    ];
    let sql =
        "SELECT @.import_subscription($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) AS added";
    ask(database, sql, &parameters).await
}

async fn add_events(database: &Database, events: &[Box<MovedEvent>]) -> Result<usize, Error> {
    let rows = database.read("SELECT @.imported_through() AS through", &[]).await?;
    let below: i64 = get(rows.first().ok_or_else(|| corrupt("an answer"))?, "through")?;
    let numbers = subscription_numbers(database, events).await?;
    let now = database.clock.now();
    let (mut columns, mut last) = (Columns::default(), below);
    let (mut through, mut all_recorded) = (below, true);
    for event in events {
        let seq = number(event, now, last)?;
        last = seq;
        all_recorded &= columns.push(seq, event, &numbers)?;
        if all_recorded {
            through = seq;
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut parameters =
        vec![(&version as _, Type::TEXT), (&below as _, Type::INT8), (&through as _, Type::INT8)];
    parameters.extend(columns.parameters());
    let places: Vec<String> = (1..=parameters.len()).map(|place| format!("${place}")).collect();
    let sql = format!("SELECT @.import_events({}) AS added", places.join(", "));
    for _ in 1..TRIES {
        match database.repeat(Way::Any, &sql, &parameters).await {
            Err(Error::Unavailable(why)) if why.contains("taking over") => database.clock.sleep(PAUSE).await,
            done => return added(&done?),
        }
    }
    added(&database.repeat(Way::Any, &sql, &parameters).await?)
}

fn added(rows: &[tokio_postgres::Row]) -> Result<usize, Error> {
    let added: i64 = get(rows.first().ok_or_else(|| corrupt("an answer"))?, "added")?;
    usize::try_from(added).map_err(|_| corrupt("a count"))
}

/// The event's own time, as its unique part tells it, but after the one before and never in the future: nodes number
/// their events above all that are there.
fn number(event: &MovedEvent, now: Timestamp, last: i64) -> Result<i64, Error> {
    let uid = event.unique().map_err(unsound)?.to_bytes();
    let millis = uid.iter().take(6).fold(0, |millis, byte| millis << 8 | i64::from(*byte));
    let at = Timestamp::from_millis(millis).min(now);
    let (first, _) = numbers_around(Some(at), None, 0);
    Ok(if first > last { first } else { after(last) })
}

/// The next number of slot 0.
fn after(last: i64) -> i64 {
    let (of_milli, counters) = (1 << 21, 1 << 11);
    let place = last % of_milli;
    if place + 1 < counters { last + 1 } else { (last / of_milli + 1) * of_milli }
}

async fn subscription_numbers(
    database: &Database,
    events: &[Box<MovedEvent>],
) -> Result<HashMap<SubscriptionId, SubscriptionNo>, Error> {
    let mut ids: Vec<Uuid> = Vec::new();
    ids.extend(events.iter().flat_map(|event| &event.matched).map(|one| Uuid(one.subscription.0)));
    ids.sort_by_key(|id| id.0);
    ids.dedup_by_key(|id| id.0);
    let sql = "SELECT no, uid FROM @.subscription WHERE uid = ANY ($1)";
    let rows = database.read(sql, &[(&ids, Type::UUID_ARRAY)]).await?;
    rows.iter().map(|row| Ok((SubscriptionId(uid(row, "uid")?), SubscriptionNo(get(row, "no")?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_imported_events_are_of_slot_0_and_ascend() {
        let mut last = 5 << 21;
        for _ in 0..10_000 {
            let next = after(last);
            assert!(next > last && (next >> 11) & 1023 == 0);
            last = next;
        }
        assert_eq!(last >> 21, 5 + 10_000 / 2048);
        // Above one that is not of slot 0, too.
        assert_eq!(after((5 << 21) | (7 << 11)), 6 << 21);
    }
}
