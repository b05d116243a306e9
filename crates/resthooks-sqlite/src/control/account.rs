//! Accounts: what each holds. None is created by a caller; the first thing of it does.

use resthooks::model::{AccountId, AccountSettings, AuditEntry, Timestamp};
use resthooks::store::{AccountSummary, Error};
use rusqlite::{Connection, Row};

use super::audit::write_audit;
use crate::event_row::{account as account_in, get, text};
use crate::failure::{corrupt, from_sqlite};
use crate::query::Query;
use crate::writer::Work;

const SUMMARY: &str = "SELECT a.id, a.created_at, \
     (SELECT count(*) FROM subscription INDEXED BY subscription_live_by_account \
      WHERE account = a.no AND status < 4), \
     (SELECT count(*) FROM event INDEXED BY event_by_account WHERE account = a.no), \
     (SELECT count(*) FROM api_key WHERE account = a.no), a.settings FROM account a";

/// Also what has ended counts: it can be read, and deleted with the account.
const HOLDS: &str = "(a.settings IS NOT NULL OR EXISTS (SELECT 1 FROM subscription WHERE account = a.no) \
     OR EXISTS (SELECT 1 FROM event WHERE account = a.no) OR EXISTS (SELECT 1 FROM api_key WHERE account = a.no))";

/// A page of those that hold anything, ascending by id.
pub(crate) fn list_accounts(
    connection: &Connection,
    after: Option<&AccountId>,
    limit: usize,
) -> Result<Vec<AccountSummary>, Error> {
    let mut query = Query::new(SUMMARY.to_owned());
    query.fixed(HOLDS);
    query.given("a.id > ?", after.map(|id| id.as_str().to_owned()));
    query.end(" ORDER BY a.id", limit);
    query.read(connection, summary)
}

/// One; `None` when it holds nothing.
pub(crate) fn account(connection: &Connection, id: &AccountId) -> Result<Option<AccountSummary>, Error> {
    let mut query = Query::new(SUMMARY.to_owned());
    query.fixed(HOLDS);
    query.given("a.id = ?", Some(id.as_str().to_owned()));
    query.end("", 1);
    Ok(query.read(connection, summary)?.pop())
}

fn summary(row: &Row<'_>) -> Result<AccountSummary, Error> {
    Ok(AccountSummary {
        id: account_in(row, 0)?,
        created_at: Timestamp::from_millis(get(row, 1)?),
        subscriptions: get(row, 2)?,
        events: get(row, 3)?,
        api_keys: get(row, 4)?,
        settings: read_settings(row, 5)?,
    })
}

/// Sets an account's settings, which is no change when it has these already.
pub(crate) fn put_account(
    work: &mut Work<'_>,
    id: &AccountId,
    settings: &AccountSettings,
    now: Timestamp,
    audit: Option<&AuditEntry>,
) -> Result<(), Error> {
    let settings = written_settings(settings)?;
    let no = match settings {
        Some(_) => Some(work.memory.account(work.connection, id, now)?),
        None => work.memory.known_account(work.connection, id)?,
    };
    let changed = work
        .connection
        .prepare_cached("UPDATE account SET settings = ?2 WHERE no = ?1 AND settings IS NOT ?2")
        .and_then(|mut update| update.execute((no, settings)))
        .map_err(from_sqlite)?;
    if changed > 0 { write_audit(work.connection, audit) } else { Ok(()) }
}

/// As they are stored: none when they say nothing.
pub(crate) fn written_settings(settings: &AccountSettings) -> Result<Option<String>, Error> {
    if settings.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(settings).map(Some).map_err(|e| Error::Corrupt(e.to_string()))
}

/// The settings in a column.
pub(crate) fn read_settings(row: &Row<'_>, column: usize) -> Result<AccountSettings, Error> {
    if get::<Option<String>>(row, column)?.is_none() {
        return Ok(AccountSettings::default());
    }
    serde_json::from_str(text(row, column)?).map_err(|_| corrupt("an account's settings"))
}

/// The settings of every account that has any.
pub(super) fn all_settings(connection: &Connection) -> Result<Vec<(AccountId, AccountSettings)>, Error> {
    let mut ask = connection
        .prepare("SELECT id, settings FROM account WHERE settings IS NOT NULL ORDER BY id")
        .map_err(from_sqlite)?;
    let mut rows = ask.query([]).map_err(from_sqlite)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        found.push((account_in(row, 0)?, read_settings(row, 1)?));
    }
    Ok(found)
}

/// Whether anything of it is left.
pub(super) fn holds_anything(connection: &Connection, no: i64) -> Result<bool, Error> {
    connection
        .prepare_cached(&format!("SELECT {HOLDS} FROM account a WHERE a.no = ?1"))
        .and_then(|mut ask| ask.query_row([no], |row| row.get(0)))
        .map_err(from_sqlite)
}
