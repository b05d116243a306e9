//! API keys.

use resthooks::model::{ApiKey, KeyHash, KeyId, KeyRole, Timestamp};
use resthooks::store::Error;
use rusqlite::{Connection, Row};

use crate::event_row::{account, get, uid};
use crate::failure::{corrupt, from_sqlite};
use crate::writer::Work;

/// Inserts one; [`Error::Exists`] when its id or hash is there.
pub(crate) fn insert_key(work: &mut Work<'_>, key: &ApiKey) -> Result<(), Error> {
    let account = match &key.role {
        KeyRole::Provider => None,
        KeyRole::Consumer(id) => Some(work.memory.account(work.connection, id, key.created_at)?),
    };
    work.connection
        .prepare_cached(
            "INSERT INTO api_key (id, hash, account, name, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .and_then(|mut insert| {
            insert.execute((
                key.id.0.to_bytes(),
                key.hash.0,
                account,
                key.name.as_deref(),
                key.created_at.as_millis(),
            ))
        })
        .map_err(from_sqlite)?;
    Ok(())
}

/// Whether there was one.
pub(crate) fn delete_key(work: &mut Work<'_>, id: KeyId) -> Result<bool, Error> {
    let deleted = work
        .connection
        .prepare_cached("DELETE FROM api_key WHERE id = ?1")
        .and_then(|mut delete| delete.execute([id.0.to_bytes()]))
        .map_err(from_sqlite)?;
    Ok(deleted > 0)
}

/// All, by id.
pub(super) fn all(connection: &Connection) -> Result<Vec<ApiKey>, Error> {
    let mut ask = connection
        .prepare(
            "SELECT k.id, k.hash, k.account, k.name, k.created_at, a.id FROM api_key k \
             LEFT JOIN account a ON a.no = k.account ORDER BY k.id",
        )
        .map_err(from_sqlite)?;
    let mut rows = ask.query([]).map_err(from_sqlite)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        found.push(key(row)?);
    }
    Ok(found)
}

fn key(row: &Row<'_>) -> Result<ApiKey, Error> {
    // A key whose account can't be read must never become the provider's.
    let role = match get::<Option<i64>>(row, 2)? {
        None => KeyRole::Provider,
        Some(_) => KeyRole::Consumer(account(row, 5).map_err(|_| corrupt("a key's account"))?),
    };
    Ok(ApiKey {
        id: KeyId(uid(row, 0)?),
        hash: KeyHash(get(row, 1)?),
        role,
        name: get(row, 3)?,
        access: resthooks::model::Access::Full,
        expires_at: None,
        last_used_at: None,
        created_at: Timestamp::from_millis(get(row, 4)?),
    })
}
