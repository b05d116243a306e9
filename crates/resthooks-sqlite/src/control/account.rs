//! Accounts: what each holds. None is created by a caller; the first thing of it does.

use resthooks::model::{AccountId, Timestamp};
use resthooks::store::{AccountSummary, Error};
use rusqlite::{Connection, Row};

use crate::event_row::{account as account_in, get};
use crate::failure::from_sqlite;
use crate::query::Query;

const SUMMARY: &str = "SELECT a.id, a.created_at, \
     (SELECT count(*) FROM subscription INDEXED BY subscription_live_by_account \
      WHERE account = a.no AND status < 4), \
     (SELECT count(*) FROM event INDEXED BY event_by_account WHERE account = a.no), \
     (SELECT count(*) FROM api_key WHERE account = a.no) FROM account a";

/// Also what has ended counts: it can be read, and deleted with the account.
const HOLDS: &str = "(EXISTS (SELECT 1 FROM subscription WHERE account = a.no) \
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
        settings: resthooks::model::AccountSettings::default(),
    })
}

/// Whether anything of it is left.
pub(super) fn holds_anything(connection: &Connection, no: i64) -> Result<bool, Error> {
    connection
        .prepare_cached(&format!("SELECT {HOLDS} FROM account a WHERE a.no = ?1"))
        .and_then(|mut ask| ask.query_row([no], |row| row.get(0)))
        .map_err(from_sqlite)
}
