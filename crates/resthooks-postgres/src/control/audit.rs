//! The audit trail: written with the changes that it tells of, read by filters, never changed.

use resthooks::model::{AccountId, Actor, AuditEntry, AuditId};
use resthooks::store::{AuditFilter, Error, Page};
use tokio_postgres::Row;

use crate::database::Database;
use crate::event_row::{account, get, time, uid};
use crate::failure::corrupt;
use crate::query::Query;
use crate::value::readable;

/// An entry as the functions take it: a text for each of its columns, in their order; `None` writes none.
pub(crate) type Columns = Option<Vec<Option<String>>>;

/// The columns of an entry.
pub(crate) fn columns(entry: Option<&AuditEntry>) -> Result<Columns, Error> {
    let Some(entry) = entry else { return Ok(None) };
    let text = |text: &str| Some(readable(text).into_owned());
    Ok(Some(vec![
        Some(hex(entry.id)),
        Some(entry.at.as_millis().to_string()),
        text(entry.actor.as_str()),
        text(entry.action.as_str()),
        text(&entry.object),
        entry.account.as_ref().map(AccountId::to_string),
        Some(changed(entry)?),
        entry.reason.as_deref().and_then(text),
    ]))
}

/// An id as PostgreSQL reads it.
fn hex(id: AuditId) -> String {
    format!("{:032x}", u128::from_be_bytes(id.0.to_bytes()))
}

/// The names of what was changed, as they are kept.
pub(crate) fn changed(entry: &AuditEntry) -> Result<String, Error> {
    serde_json::to_string(&entry.changed).map_err(|e| Error::Corrupt(e.to_string()))
}

/// A page of it, newest first.
pub(crate) async fn list_audit(
    database: &Database,
    filter: &AuditFilter,
    page: &Page<AuditId>,
) -> Result<Vec<AuditEntry>, Error> {
    list_query(filter, page).read(database, entry).await
}

/// Along time, within an object's entries or an account's where one is asked for. Actors and actions are looked for on the
/// way.
fn list_query(filter: &AuditFilter, page: &Page<AuditId>) -> Query {
    let mut query = Query::new("SELECT id, at, actor, action, object, account, changed, reason FROM @.audit");
    let (from, below) = filter.range(page);
    query.given("id >= ?", Some(from));
    query.given("id < ?", Some(below));
    query.given("object = ?", filter.object.as_deref().map(readable).as_deref());
    query.given("account = ?", filter.account.as_ref().map(AccountId::as_str));
    query.given("actor = ?", filter.actor.as_ref().map(|actor| readable(actor.as_str())).as_deref());
    query.given("action = ?", filter.action.map(resthooks::model::AuditAction::as_str));
    query.end(" ORDER BY id DESC", page.limit);
    query
}

/// The entry in a row of all columns.
pub(crate) fn entry(row: &Row) -> Result<AuditEntry, Error> {
    let wrong = || corrupt("an entry of the audit trail");
    let account = match get::<Option<&str>>(row, "account")? {
        None => None,
        Some(_) => Some(account(row, "account")?),
    };
    Ok(AuditEntry {
        id: AuditId(uid(row, "id")?),
        at: time(row, "at")?,
        actor: Actor::from_stored(get(row, "actor")?),
        action: get::<&str>(row, "action")?.parse().map_err(|_| wrong())?,
        object: get(row, "object")?,
        account,
        changed: serde_json::from_str(get(row, "changed")?).map_err(|_| wrong())?,
        reason: get(row, "reason")?,
    })
}
