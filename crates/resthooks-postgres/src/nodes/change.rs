//! What has been changed: the rows of `change` say what, the tables say how it stands now.

use std::collections::{HashMap, HashSet};

use resthooks::model::{AccountId, AccountSettings, EventName, KeyId, SubscriptionNo};
use resthooks::store::{Change, ChangeNo, Changes, Error};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::control::{
    event_types_named, key_id, keys_of, keys_with, live_subscriptions_of, settings_of, subscriptions_by_no,
};
use crate::database::Database;
use crate::event_row::get;
use crate::failure::corrupt;
use crate::store::Inner;
use crate::value::count;

const ASK: &str = "SELECT no, kind, key FROM @.change WHERE no > $1 ORDER BY no LIMIT $2";

/// One that a node has noted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Noted {
    Subscription(SubscriptionNo),
    EventType(EventName),
    Key(KeyId),
    Account(AccountId),
    Settings(AccountId),
}

/// Those after this point, in their order; each thing once, at its last place.
pub(crate) async fn changes(inner: &Inner, after: ChangeNo, limit: usize) -> Result<Changes, Error> {
    let limit_count = count(limit);
    let parameters = [(&after.0 as _, Type::INT8), (&limit_count as _, Type::INT8)];
    let rows = inner.database.read(ASK, &parameters).await?;
    let through = rows.last().map_or(Ok(after.0), |row| get(row, "no"))?;
    // This node's own as well: a change whose answer was lost is not in its memory.
    let all: Vec<Noted> = rows.iter().map(noted).collect::<Result<_, _>>()?;
    for account in all.iter().filter_map(|one| if let Noted::Account(id) = one { Some(id) } else { None }) {
        inner.seen.forget(account);
    }
    let mut later = HashSet::new();
    let mut last: Vec<Noted> = all.into_iter().rev().filter(|one| later.insert(one.clone())).collect();
    last.reverse();
    let changes = as_they_stand(inner, last).await?;
    Ok(Changes { changes, through: ChangeNo(through), more: rows.len() >= limit })
}

fn noted(row: &Row) -> Result<Noted, Error> {
    let key: &str = get(row, "key")?;
    let wrong = || corrupt("a change");
    Ok(match get::<i16>(row, "kind")? {
        0 => Noted::Subscription(SubscriptionNo(key.parse().map_err(|_| wrong())?)),
        1 => Noted::EventType(key.parse().map_err(|_| wrong())?),
        2 => Noted::Key(key_id(key).ok_or_else(wrong)?),
        3 => Noted::Account(key.parse().map_err(|_| wrong())?),
        4 => Noted::Settings(key.parse().map_err(|_| wrong())?),
        _ => return Err(wrong()),
    })
}

async fn as_they_stand(inner: &Inner, all: Vec<Noted>) -> Result<Vec<Change>, Error> {
    let database = &inner.database;
    let (mut numbers, mut names, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let (mut accounts, mut set) = (Vec::new(), Vec::new());
    for one in &all {
        match one {
            Noted::Subscription(no) => numbers.push(*no),
            Noted::EventType(name) => names.push(name.as_str()),
            Noted::Key(id) => ids.push(*id),
            Noted::Account(id) => accounts.push(id),
            Noted::Settings(id) => set.push(id),
        }
    }
    let subscriptions = subscriptions_by_no(inner, &numbers).await?;
    let mut subscriptions: HashMap<_, _> = subscriptions.into_iter().map(|one| (one.no, one)).collect();
    let types = event_types_named(database, &names).await?;
    let mut types: HashMap<_, _> = types.into_iter().map(|one| (one.name.clone(), one)).collect();
    let keys = keys_with(database, &ids).await?;
    let mut keys: HashMap<_, _> = keys.into_iter().map(|one| (one.id, one)).collect();
    let (mut live, mut held) = what_they_have(database, &accounts).await?;
    set.extend(&accounts);
    let settings: HashMap<AccountId, AccountSettings> =
        settings_of(database, &set).await?.into_iter().collect();
    let settings = |id: &AccountId| settings.get(id).cloned().unwrap_or_default();
    let change = |one| match one {
        // One that has gone with its account: that is a change of its own.
        Noted::Subscription(no) => subscriptions.remove(&no).map(|one| Change::Subscription(Box::new(one))),
        Noted::EventType(name) => {
            let now = types.remove(&name).map(Box::new);
            Some(Change::EventType(name, now))
        }
        Noted::Key(id) => Some(Change::Key(id, keys.remove(&id).map(Box::new))),
        Noted::Account(id) => {
            let subscriptions = live.remove(&id).unwrap_or_default();
            let keys = held.remove(&id).unwrap_or_default();
            let settings = settings(&id);
            Some(Change::Account { id, subscriptions, keys, settings })
        }
        Noted::Settings(id) => {
            let settings = settings(&id);
            Some(Change::AccountSettings(id, settings))
        }
    };
    Ok(all.into_iter().filter_map(change).collect())
}

/// What an account has by now, per account.
type Held<T> = HashMap<AccountId, Vec<T>>;

/// The subscriptions and keys of accounts whose deletion was begun. Asked after the changes themselves: whatever they
/// say is there, and was not deleted since, is among it.
async fn what_they_have(
    database: &Database,
    accounts: &[&AccountId],
) -> Result<(Held<SubscriptionNo>, Held<KeyId>), Error> {
    let subscriptions = live_subscriptions_of(database, accounts).await?;
    let keys = keys_of(database, accounts).await?;
    Ok((by_account(subscriptions), by_account(keys)))
}

fn by_account<T>(all: Vec<(AccountId, T)>) -> Held<T> {
    let mut held = Held::new();
    for (account, one) in all {
        held.entry(account).or_insert_with(Vec::new).push(one);
    }
    held
}
