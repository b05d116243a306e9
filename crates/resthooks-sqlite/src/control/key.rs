//! API keys.

use resthooks::model::{Access, ApiKey, AuditEntry, KeyHash, KeyId, KeyRole, Timestamp};
use resthooks::store::Error;
use rusqlite::{Connection, Row};

use super::audit::write_audit;
use crate::event_row::{account, get, uid};
use crate::failure::{corrupt, from_sqlite};
use crate::writer::Work;

/// Inserts one; [`Error::Exists`] when its id or hash is there.
pub(crate) fn insert_key(work: &mut Work<'_>, key: &ApiKey, audit: Option<&AuditEntry>) -> Result<(), Error> {
    let account = match &key.role {
        KeyRole::Provider => None,
        KeyRole::Consumer(id) => Some(work.memory.account(work.connection, id, key.created_at)?),
    };
    work.connection
        .prepare_cached(
            "INSERT INTO api_key (id, hash, account, name, created_at, access, expires_at, last_used_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .and_then(|mut insert| {
            insert.execute((
                key.id.0.to_bytes(),
                key.hash.0,
                account,
                key.name.as_deref(),
                key.created_at.as_millis(),
                key.access.code(),
                key.expires_at.map(Timestamp::as_millis),
                key.last_used_at.map(Timestamp::as_millis),
            ))
        })
        .map_err(from_sqlite)?;
    write_audit(work.connection, audit)
}

/// Whether there was one.
pub(crate) fn delete_key(work: &mut Work<'_>, id: KeyId, audit: Option<&AuditEntry>) -> Result<bool, Error> {
    let deleted = work
        .connection
        .prepare_cached("DELETE FROM api_key WHERE id = ?1")
        .and_then(|mut delete| delete.execute([id.0.to_bytes()]))
        .map_err(from_sqlite)?;
    if deleted > 0 {
        write_audit(work.connection, audit)?;
    }
    Ok(deleted > 0)
}

/// Notes when these were last used, where that is later than what is known.
pub(crate) fn touch_keys(work: &mut Work<'_>, used: &[(KeyId, Timestamp)]) -> Result<(), Error> {
    let mut update = work
        .connection
        .prepare_cached(
            "UPDATE api_key SET last_used_at = ?2 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
        )
        .map_err(from_sqlite)?;
    for (id, at) in used {
        update.execute((id.0.to_bytes(), at.as_millis())).map_err(from_sqlite)?;
    }
    Ok(())
}

/// All columns, of `api_key k`, and its account's id.
pub(crate) const KEYS: &str = "SELECT k.id, k.hash, k.account, k.name, k.created_at, a.id, k.access, k.expires_at, \
                               k.last_used_at FROM api_key k LEFT JOIN account a ON a.no = k.account";

/// All, by id.
pub(super) fn all(connection: &Connection) -> Result<Vec<ApiKey>, Error> {
    let mut ask = connection.prepare(&format!("{KEYS} ORDER BY k.id")).map_err(from_sqlite)?;
    let mut rows = ask.query([]).map_err(from_sqlite)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        found.push(key(row)?);
    }
    Ok(found)
}

/// The key in a row of [`KEYS`].
pub(crate) fn key(row: &Row<'_>) -> Result<ApiKey, Error> {
    // A key whose account can't be read must never become the provider's.
    let role = match get::<Option<i64>>(row, 2)? {
        None => KeyRole::Provider,
        Some(_) => KeyRole::Consumer(account(row, 5).map_err(|_| corrupt("a key's account"))?),
    };
    let at = |column| get::<Option<i64>>(row, column).map(|at| at.map(Timestamp::from_millis));
    Ok(ApiKey {
        id: KeyId(uid(row, 0)?),
        hash: KeyHash(get(row, 1)?),
        role,
        name: get(row, 3)?,
        // One whose access can't be read must never become one with all of it.
        access: Access::from_code(get(row, 6)?).ok_or_else(|| corrupt("a key's access"))?,
        expires_at: at(7)?,
        last_used_at: at(8)?,
        created_at: Timestamp::from_millis(get(row, 4)?),
    })
}
