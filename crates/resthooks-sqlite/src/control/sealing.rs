//! Which keys the subscriptions' secrets are sealed with, and sealing them with another one.

use resthooks::model::SubscriptionNo;
use resthooks::seal::{SealError, Vault};
use resthooks::store::Error;
use resthooks::store::coding::{DocumentError, reseal_document};
use rusqlite::Connection;

use crate::failure::from_sqlite;

/// Why a document can't be read, in the store's words.
pub(crate) fn unreadable(error: DocumentError) -> Error {
    match error {
        DocumentError::Sealed(SealError::UnknownKey(id)) => lacking(&id),
        other => Error::Corrupt(other.to_string()),
    }
}

/// The refusal of a vault without this key.
pub(crate) fn lacking(id: &str) -> Error {
    Error::Unusable(format!(
        "its secrets are sealed with the secret key {id}, which was not given: give it, behind the one that is to seal \
         from now on"
    ))
}

/// The ids of all keys that are in use.
pub(crate) fn sealing_keys(connection: &Connection) -> Result<Vec<String>, Error> {
    let mut ask = connection.prepare("SELECT id FROM sealing_key ORDER BY id").map_err(from_sqlite)?;
    let ids = ask.query_map([], |row| row.get(0)).map_err(from_sqlite)?;
    ids.collect::<Result<_, _>>().map_err(from_sqlite)
}

/// Notes that something is sealed with the key that seals now, or will be.
pub(crate) fn note_sealing_key(connection: &Connection, vault: &Vault) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT INTO sealing_key (id) VALUES (?1) ON CONFLICT DO NOTHING")
        .and_then(|mut insert| insert.execute([vault.sealing_id()]))
        .map_err(from_sqlite)?;
    Ok(())
}

/// Seals those above this number that are not sealed with the key that seals now, at most `limit`. At their end forgets
/// the keys that seal nothing any more.
pub(crate) fn reseal(
    connection: &Connection,
    vault: &Vault,
    after: SubscriptionNo,
    limit: usize,
) -> Result<Option<SubscriptionNo>, Error> {
    let others =
        "SELECT no, document FROM subscription WHERE no > ?1 AND sealed_with IS NOT ?2 ORDER BY no LIMIT ?3";
    let limit = limit.max(1);
    let mut ask = connection.prepare_cached(others).map_err(from_sqlite)?;
    let rows = ask
        .query_map((after.0, vault.sealing_id(), limit), |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(from_sqlite)?;
    let found: Vec<(i64, String)> = rows.collect::<Result<_, _>>().map_err(from_sqlite)?;
    note_sealing_key(connection, vault)?;
    for (no, document) in &found {
        let document = reseal_document(document, vault).map_err(unreadable)?;
        connection
            .prepare_cached("UPDATE subscription SET document = ?2, sealed_with = ?3 WHERE no = ?1")
            .and_then(|mut update| update.execute((no, document, vault.sealing_id())))
            .map_err(from_sqlite)?;
    }
    match found.last() {
        Some((last, _)) if found.len() == limit => Ok(Some(SubscriptionNo(*last))),
        _ => {
            forget_unused(connection, vault).map_err(from_sqlite)?;
            Ok(None)
        }
    }
}

fn forget_unused(connection: &Connection, vault: &Vault) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM sealing_key WHERE id <> ?1 \
         AND NOT EXISTS (SELECT 1 FROM subscription s WHERE s.sealed_with = sealing_key.id)",
        [vault.sealing_id()],
    )
}
