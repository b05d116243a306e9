//! Deletes an account: what it manages at once, what it has sent in steps.
//!
//! A step is one short transaction, so that an account with millions of events does not hold up everybody's commits.
//! The deletion is written down first and struck out last: any node goes on with it.

use resthooks::model::{AccountId, AuditEntry, EventSeq};
use resthooks::store::{DeletedAccount, Error};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::audit;
use crate::database::{Database, Way};
use crate::event_row::{account, get};
use crate::store::Inner;
use crate::value::limit as most;

/// The most deliveries and attempts that go in one step, some ten milliseconds of work, whatever the number of events:
/// one event may have thousands.
const ROWS: i32 = 2_000;

/// Starts it; `None` when the account holds nothing.
pub(crate) async fn begin_delete_account(
    inner: &Inner,
    id: &AccountId,
    entry: Option<&AuditEntry>,
) -> Result<Option<DeletedAccount>, Error> {
    let (node, audit) = (inner.numbers.node(), audit::columns(entry)?);
    let parameters =
        [(&node as _, Type::INT8), (&id.as_str() as _, Type::TEXT), (&audit as _, Type::TEXT_ARRAY)];
    let rows =
        inner.database.once("SELECT @.begin_delete_account($1, $2, $3) AS through", &parameters).await?;
    inner.seen.forget(id);
    let through: Option<i64> = rows.first().map_or(Ok(None), |row| get(row, "through"))?;
    Ok(through.map(|through| DeletedAccount { account: id.clone(), through: EventSeq(through) }))
}

/// Deletes up to `limit` more events; whether it is done.
pub(crate) async fn delete_account_step(
    inner: &Inner,
    deleted: &DeletedAccount,
    limit: usize,
) -> Result<bool, Error> {
    let limit = most(limit);
    let account = deleted.account.as_str();
    let parameters = [
        (&account as _, Type::TEXT),
        (&deleted.through.0 as _, Type::INT8),
        (&limit as _, Type::INT4),
        (&ROWS as _, Type::INT4),
    ];
    let sql = "SELECT @.delete_account_step($1, $2, $3, $4) AS done";
    let rows = inner.database.repeat(Way::Any, sql, &parameters).await?;
    inner.seen.forget(&deleted.account);
    rows.first().map_or(Ok(false), |row| get(row, "done"))
}

/// Those that were begun and are not done.
pub(crate) async fn deletions(database: &Database) -> Result<Vec<DeletedAccount>, Error> {
    let ask = "SELECT account, through FROM @.account_deletion WHERE done_at IS NULL ORDER BY account";
    let deleted = |row: &Row| {
        Ok(DeletedAccount { account: account(row, "account")?, through: EventSeq(get(row, "through")?) })
    };
    database.read(ask, &[]).await?.iter().map(deleted).collect()
}
