//! API keys.

use resthooks::model::{Access, AccountId, ApiKey, AuditEntry, KeyHash, KeyId, KeyRole, Timestamp, Uid};
use resthooks::store::Error;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::audit;
use crate::database::{Database, Way};
use crate::event_row::{account, get, text, time, time_or_none, uid};
use crate::failure::corrupt;
use crate::store::Inner;
use crate::value::Uuid;

/// All columns.
pub(crate) const COLUMNS: &str =
    "SELECT id, hash, account, name, created_at, access, expires_at, last_used_at FROM @.api_key";

/// Inserts one; [`Error::Exists`] when its id or hash is there.
pub(crate) async fn insert_key(inner: &Inner, key: &ApiKey, entry: Option<&AuditEntry>) -> Result<(), Error> {
    let account = match &key.role {
        KeyRole::Provider => None,
        KeyRole::Consumer(id) => Some(id.as_str()),
    };
    let (node, id, hash) = (inner.numbers.node(), Uuid(key.id.0), &key.hash.0[..]);
    let (name, created) = (key.name.as_deref().map(str::as_bytes), key.created_at.as_millis());
    let (ends, used) = (key.expires_at.map(Timestamp::as_millis), key.last_used_at.map(Timestamp::as_millis));
    let audit = audit::columns(entry)?;
    let parameters = [
        (&node as _, Type::INT8),
        (&id as _, Type::UUID),
        (&hash as _, Type::BYTEA),
        (&account as _, Type::TEXT),
        (&name as _, Type::BYTEA),
        (&created as _, Type::INT8),
        (&key.access.code() as _, Type::INT2),
        (&ends as _, Type::INT8),
        (&used as _, Type::INT8),
        (&audit as _, Type::TEXT_ARRAY),
    ];
    let sql = "SELECT @.insert_key($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    inner.database.once(sql, &parameters).await?;
    Ok(())
}

/// Whether there was one.
pub(crate) async fn delete_key(inner: &Inner, id: KeyId, entry: Option<&AuditEntry>) -> Result<bool, Error> {
    let (node, id, audit) = (inner.numbers.node(), Uuid(id.0), audit::columns(entry)?);
    let parameters = [(&node as _, Type::INT8), (&id as _, Type::UUID), (&audit as _, Type::TEXT_ARRAY)];
    let rows = inner.database.once("SELECT @.delete_key($1, $2, $3) AS deleted", &parameters).await?;
    rows.first().map_or(Ok(false), |row| get(row, "deleted"))
}

/// Notes when these were last used, where that is later than what is known.
pub(crate) async fn touch_keys(database: &Database, used: &[(KeyId, Timestamp)]) -> Result<(), Error> {
    if used.is_empty() {
        return Ok(());
    }
    let (ids, times): (Vec<Uuid>, Vec<i64>) =
        used.iter().map(|(id, at)| (Uuid(id.0), at.as_millis())).unzip();
    let parameters = [(&ids as _, Type::UUID_ARRAY), (&times as _, Type::INT8_ARRAY)];
    database.repeat(Way::Any, "SELECT @.touch_keys($1, $2)", &parameters).await?;
    Ok(())
}

/// All, by id.
pub(super) async fn all(database: &Database) -> Result<Vec<ApiKey>, Error> {
    let rows = database.read(&format!("{COLUMNS} ORDER BY id"), &[]).await?;
    rows.iter().map(key).collect()
}

/// Those with these ids that there are.
pub(crate) async fn keys_with(database: &Database, ids: &[KeyId]) -> Result<Vec<ApiKey>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| Uuid(id.0)).collect();
    let rows = database.read(&format!("{COLUMNS} WHERE id = ANY ($1)"), &[(&ids, Type::UUID_ARRAY)]).await?;
    rows.iter().map(key).collect()
}

/// Which keys these accounts have.
pub(crate) async fn keys_of(
    database: &Database,
    accounts: &[&AccountId],
) -> Result<Vec<(AccountId, KeyId)>, Error> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let accounts: Vec<&str> = accounts.iter().map(|id| id.as_str()).collect();
    let ask = "SELECT account, id FROM @.api_key WHERE account = ANY ($1)";
    let key = |row: &Row| Ok((account(row, "account")?, KeyId(uid(row, "id")?)));
    database.read(ask, &[(&accounts, Type::TEXT_ARRAY)]).await?.iter().map(key).collect()
}

/// A key's id as PostgreSQL writes it.
pub(crate) fn key_id(text: &str) -> Option<KeyId> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    let number = u128::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == 32)?;
    Some(KeyId(Uid::from_bytes(number.to_be_bytes())))
}

/// The key in a row of all columns.
pub(crate) fn key(row: &Row) -> Result<ApiKey, Error> {
    // A key whose account can't be read must never become the provider's.
    let role = match get::<Option<&str>>(row, "account")? {
        None => KeyRole::Provider,
        Some(_) => KeyRole::Consumer(account(row, "account")?),
    };
    let hash: &[u8] = get(row, "hash")?;
    Ok(ApiKey {
        id: KeyId(uid(row, "id")?),
        hash: KeyHash(hash.try_into().map_err(|_| corrupt("a key's hash"))?),
        role,
        name: text(row, "name")?,
        // One whose access can't be read must never become one with all of it.
        access: Access::from_code(get(row, "access")?).ok_or_else(|| corrupt("a key's access"))?,
        expires_at: time_or_none(row, "expires_at")?,
        last_used_at: time_or_none(row, "last_used_at")?,
        created_at: time(row, "created_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = key_id("0190a1b2-c3d4-e5f6-0718-293a4b5c6d7e").unwrap();
        assert_eq!(id.0.to_bytes()[..4], [0x01, 0x90, 0xa1, 0xb2]);
        assert!(key_id("0190").is_none() && key_id("").is_none());
    }
}
