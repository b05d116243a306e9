//! Which keys the subscriptions' secrets are sealed with, and sealing them with another one.

use resthooks::model::{NodeNo, SubscriptionNo};
use resthooks::seal::{SealError, Vault};
use resthooks::store::Error;
use resthooks::store::coding::{DocumentError, reseal_document};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::database::{Database, Parameter, Way};
use crate::event_row::get;
use crate::value::count;

/// Subscriptions that are sealed at once when nobody says how many.
const STEP: usize = 500;

/// Those that are not sealed with the key that seals now.
const OTHERS: &str = "SELECT no, version, document FROM @.subscription \
                      WHERE no > $1 AND sealed_with IS DISTINCT FROM $3 ORDER BY no LIMIT $2";
/// Those in clear.
const CLEAR: &str = "SELECT no, version, document FROM @.subscription \
                     WHERE no > $1 AND sealed_with IS NULL ORDER BY no LIMIT $2";

/// Why a document can't be read, in the store's words.
pub(crate) fn unreadable(error: DocumentError) -> Error {
    match error {
        DocumentError::Sealed(SealError::UnknownKey(id)) => lacking(&id),
        other => Error::Corrupt(other.to_string()),
    }
}

fn lacking(id: &str) -> Error {
    Error::Unusable(format!(
        "its secrets are sealed with the secret key {id}, which was not given: give it, behind the one that is to seal \
         from now on"
    ))
}

/// The ids of all keys that are in use.
pub(crate) async fn sealing_keys(database: &Database) -> Result<Vec<String>, Error> {
    let rows = database.read("SELECT id FROM @.sealing_key ORDER BY id", &[]).await?;
    rows.iter().map(|row| get(row, "id")).collect()
}

/// A key that is in use, and which nodes may seal with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKey {
    /// Its id.
    pub id: String,
    /// Nodes with higher numbers have it.
    pub known_at: NodeNo,
    /// Nodes with higher numbers seal with another one.
    pub brought_at: NodeNo,
}

/// All keys that are in use.
pub(crate) async fn sealing(database: &Database) -> Result<Vec<SealingKey>, Error> {
    let rows = database.read("SELECT id, known_at, brought_at FROM @.sealing_key ORDER BY id", &[]).await?;
    let read = |row| {
        let (known_at, brought_at) = (NodeNo(get(row, "known_at")?), NodeNo(get(row, "brought_at")?));
        Ok(SealingKey { id: get(row, "id")?, known_at, brought_at })
    };
    rows.iter().map(read).collect()
}

/// Refuses a vault that lacks a key that is in use; then its first one is.
pub(crate) async fn bring_keys(database: &Database, vault: &Vault, by: Option<NodeNo>) -> Result<(), Error> {
    let ids: Vec<&str> = vault.ids().collect();
    let ask = "SELECT @.bring_sealing_keys($1, $2) AS lacking";
    let by = by.map(|node| node.0);
    let rows = database.repeat(Way::Any, ask, &[(&ids, Type::TEXT_ARRAY), (&by, Type::INT8)]).await?;
    match rows.first().map_or(Ok(None), |row| get::<Option<&str>>(row, "lacking"))? {
        None => Ok(()),
        Some(id) => Err(lacking(id)),
    }
}

/// Seals what nodes of the version before have written in clear.
pub(crate) async fn seal_clear(database: &Database, vault: &Vault) -> Result<(), Error> {
    let (mut after, most) = (0, count(STEP));
    loop {
        let rows = database.read(CLEAR, &[(&after, Type::INT8), (&most, Type::INT8)]).await?;
        match seal_again(database, vault, &rows).await? {
            Some(last) if rows.len() == STEP => after = last,
            _ => return Ok(()),
        }
    }
}

/// Seals those above this number that are not sealed with the key that seals now, at most `limit`. At their end forgets
/// the keys that seal nothing any more.
pub(crate) async fn reseal(
    database: &Database,
    vault: &Vault,
    after: SubscriptionNo,
    limit: usize,
) -> Result<Option<SubscriptionNo>, Error> {
    let (limit, key) = (limit.max(1), vault.sealing_id());
    let most = count(limit);
    let parameters: [Parameter<'_>; 3] = [(&after.0, Type::INT8), (&most, Type::INT8), (&key, Type::TEXT)];
    let rows = database.read(OTHERS, &parameters).await?;
    match seal_again(database, vault, &rows).await? {
        Some(last) if rows.len() == limit => Ok(Some(SubscriptionNo(last))),
        _ => {
            database.repeat(Way::Any, "SELECT @.forget_sealing_keys($1)", &[(&key, Type::TEXT)]).await?;
            Ok(None)
        }
    }
}

/// Seals these, but for those that are changed meanwhile: whoever changes them seals them. The last one's number.
async fn seal_again(database: &Database, vault: &Vault, rows: &[Row]) -> Result<Option<i64>, Error> {
    let (mut numbers, mut versions, mut documents) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        numbers.push(get::<i64>(row, "no")?);
        versions.push(get::<i64>(row, "version")?);
        documents.push(reseal_document(get(row, "document")?, vault).map_err(unreadable)?);
    }
    let Some(last) = numbers.last().copied() else { return Ok(None) };
    let parameters: [Parameter<'_>; 4] = [
        (&numbers, Type::INT8_ARRAY),
        (&versions, Type::INT8_ARRAY),
        (&documents, Type::TEXT_ARRAY),
        (&vault.sealing_id(), Type::TEXT),
    ];
    database.repeat(Way::Any, "SELECT @.reseal($1, $2, $3, $4)", &parameters).await?;
    Ok(Some(last))
}
