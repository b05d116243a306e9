//! Accounts: what each holds. None is created by a caller; the first thing of it does.

use resthooks::model::{AccountId, AccountSettings, AuditEntry, Timestamp};
use resthooks::store::{AccountSummary, Error};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::audit;
use crate::database::Database;
use crate::event_row::{account as account_in, count, get, time};
use crate::failure::corrupt;
use crate::query::Query;
use crate::store::Inner;

const SUMMARY: &str = "SELECT a.id, a.created_at, \
     (SELECT count(*) FROM @.subscription s WHERE s.account = a.id AND s.status < 4) AS subscriptions, \
     (SELECT count(*) FROM @.event e WHERE e.account = a.id) AS events, \
     (SELECT count(*) FROM @.api_key k WHERE k.account = a.id) AS api_keys, a.settings FROM @.account a";

/// Also what has ended counts: it can be read, and deleted with the account.
const HOLDS: &str = "(a.settings IS NOT NULL OR EXISTS (SELECT FROM @.subscription s WHERE s.account = a.id) \
     OR EXISTS (SELECT FROM @.event e WHERE e.account = a.id) \
     OR EXISTS (SELECT FROM @.api_key k WHERE k.account = a.id))";

/// A page of those that hold anything, ascending by id.
pub(crate) async fn list_accounts(
    database: &Database,
    after: Option<&AccountId>,
    limit: usize,
) -> Result<Vec<AccountSummary>, Error> {
    let mut query = Query::new(SUMMARY);
    query.fixed(HOLDS);
    query.given("a.id > ?", after.map(AccountId::as_str));
    query.end(" ORDER BY a.id", limit);
    query.read(database, summary).await
}

/// One; `None` when it holds nothing.
pub(crate) async fn account(database: &Database, id: &AccountId) -> Result<Option<AccountSummary>, Error> {
    let mut query = Query::new(SUMMARY);
    query.fixed(HOLDS);
    query.given("a.id = ?", Some(id.as_str()));
    query.end("", 1);
    Ok(query.read(database, summary).await?.pop())
}

fn summary(row: &Row) -> Result<AccountSummary, Error> {
    Ok(AccountSummary {
        id: account_in(row, "id")?,
        created_at: time(row, "created_at")?,
        subscriptions: count(row, "subscriptions")?,
        events: count(row, "events")?,
        api_keys: count(row, "api_keys")?,
        settings: read_settings(row)?,
    })
}

/// Sets an account's settings, which is no change when it has these already.
pub(crate) async fn put_account(
    inner: &Inner,
    id: &AccountId,
    settings: &AccountSettings,
    now: Timestamp,
    entry: Option<&AuditEntry>,
) -> Result<(), Error> {
    let (node, account, now) = (inner.numbers.node(), id.as_str(), now.as_millis());
    let (settings, audit) = (written_settings(settings)?, audit::columns(entry)?);
    let parameters = [
        (&node as _, Type::INT8),
        (&account as _, Type::TEXT),
        (&settings as _, Type::TEXT),
        (&now as _, Type::INT8),
        (&audit as _, Type::TEXT_ARRAY),
    ];
    inner.database.once("SELECT @.put_account($1, $2, $3, $4, $5)", &parameters).await?;
    Ok(())
}

/// As they are stored: none when they say nothing.
pub(crate) fn written_settings(settings: &AccountSettings) -> Result<Option<String>, Error> {
    if settings.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(settings).map(Some).map_err(|e| Error::Corrupt(e.to_string()))
}

/// The settings in a row.
pub(crate) fn read_settings(row: &Row) -> Result<AccountSettings, Error> {
    match get::<Option<&str>>(row, "settings")? {
        None => Ok(AccountSettings::default()),
        Some(text) => serde_json::from_str(text).map_err(|_| corrupt("an account's settings")),
    }
}

fn with_id(row: &Row) -> Result<(AccountId, AccountSettings), Error> {
    Ok((account_in(row, "id")?, read_settings(row)?))
}

/// The settings of every account that has any.
pub(super) async fn all_settings(database: &Database) -> Result<Vec<(AccountId, AccountSettings)>, Error> {
    let ask = "SELECT id, settings FROM @.account WHERE settings IS NOT NULL ORDER BY id";
    database.read(ask, &[]).await?.iter().map(with_id).collect()
}

/// The settings of those of these accounts that have any.
pub(crate) async fn settings_of(
    database: &Database,
    accounts: &[&AccountId],
) -> Result<Vec<(AccountId, AccountSettings)>, Error> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let accounts: Vec<&str> = accounts.iter().map(|id| id.as_str()).collect();
    let ask = "SELECT id, settings FROM @.account WHERE id = ANY ($1) AND settings IS NOT NULL";
    database.read(ask, &[(&accounts, Type::TEXT_ARRAY)]).await?.iter().map(with_id).collect()
}
