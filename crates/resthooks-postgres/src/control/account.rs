//! Accounts: what each holds. None is created by a caller; the first thing of it does.

use resthooks::model::AccountId;
use resthooks::store::{AccountSummary, Error};
use tokio_postgres::Row;

use crate::database::Database;
use crate::event_row::{account as account_in, count, time};
use crate::query::Query;

const SUMMARY: &str = "SELECT a.id, a.created_at, \
     (SELECT count(*) FROM @.subscription s WHERE s.account = a.id AND s.status < 4) AS subscriptions, \
     (SELECT count(*) FROM @.event e WHERE e.account = a.id) AS events, \
     (SELECT count(*) FROM @.api_key k WHERE k.account = a.id) AS api_keys FROM @.account a";

/// Also what has ended counts: it can be read, and deleted with the account.
const HOLDS: &str = "(EXISTS (SELECT FROM @.subscription s WHERE s.account = a.id) \
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
        settings: resthooks::model::AccountSettings::default(),
    })
}
