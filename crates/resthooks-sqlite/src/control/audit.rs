//! The audit trail: written with the changes that it tells of, read by filters, never changed.

use resthooks::model::{AccountId, Actor, AuditEntry, AuditId, Timestamp};
use resthooks::store::{AuditFilter, Error, Page};
use rusqlite::{Connection, Row};

use crate::event_row::{account, get, text, uid};
use crate::failure::{corrupt, from_sqlite};
use crate::query::Query;

const COLUMNS: &str = "SELECT uid, at, actor, action, object, account, changed, reason FROM audit";

/// Writes an entry, if there is one, beside the change that it tells of.
pub(crate) fn write_audit(connection: &Connection, entry: Option<&AuditEntry>) -> Result<(), Error> {
    let Some(entry) = entry else { return Ok(()) };
    let insert = "INSERT INTO audit (uid, at, actor, action, object, account, changed, reason) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    let changed = serde_json::to_string(&entry.changed).map_err(|e| Error::Corrupt(e.to_string()))?;
    connection
        .prepare_cached(insert)
        .and_then(|mut insert| {
            insert.execute((
                entry.id.0.to_bytes(),
                entry.at.as_millis(),
                entry.actor.as_str(),
                entry.action.as_str(),
                &entry.object,
                entry.account.as_ref().map(AccountId::as_str),
                changed,
                entry.reason.as_deref(),
            ))
        })
        .map_err(from_sqlite)?;
    Ok(())
}

/// A page of it, newest first.
pub(crate) fn list_audit(
    connection: &Connection,
    filter: &AuditFilter,
    page: &Page<AuditId>,
) -> Result<Vec<AuditEntry>, Error> {
    list_query(filter, page).read(connection, entry)
}

/// Along time, within an object's entries or an account's where one is asked for. Actors and actions are looked for on the
/// way.
fn list_query(filter: &AuditFilter, page: &Page<AuditId>) -> Query {
    let index = match (&filter.object, &filter.account) {
        (Some(_), _) => " INDEXED BY audit_by_object",
        (None, Some(_)) => " INDEXED BY audit_by_account",
        (None, None) => "",
    };
    let mut query = Query::new(format!("{COLUMNS}{index}"));
    let (from, below) = filter.range(page);
    query.given("uid >= ?", Some(from.to_bytes().to_vec()));
    query.given("uid < ?", Some(below.to_bytes().to_vec()));
    query.given("object = ?", filter.object.clone());
    query.given("account = ?", filter.account.as_ref().map(|id| id.as_str().to_owned()));
    query.given("actor = ?", filter.actor.as_ref().map(|actor| actor.as_str().to_owned()));
    query.given("action = ?", filter.action.map(|action| action.as_str().to_owned()));
    query.end(" ORDER BY uid DESC", page.limit);
    query
}

/// The entry in a row of all columns.
pub(crate) fn entry(row: &Row<'_>) -> Result<AuditEntry, Error> {
    let wrong = || corrupt("an entry of the audit trail");
    let account = match get::<Option<String>>(row, 5)? {
        None => None,
        Some(_) => Some(account(row, 5)?),
    };
    Ok(AuditEntry {
        id: AuditId(uid(row, 0)?),
        at: Timestamp::from_millis(get(row, 1)?),
        actor: Actor::from_stored(get(row, 2)?),
        action: text(row, 3)?.parse().map_err(|_| wrong())?,
        object: get(row, 4)?,
        account,
        changed: serde_json::from_str(text(row, 6)?).map_err(|_| wrong())?,
        reason: get(row, 7)?,
    })
}

/// A page of all of it, oldest first.
pub(crate) const AUDIT_IN_ORDER: &str = "SELECT uid, at, actor, action, object, account, changed, reason FROM audit WHERE uid > ?1 ORDER BY uid LIMIT ?2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_follows_an_index() {
        let connection = crate::schema::in_memory();
        let (account, object) = (Some("a".parse().unwrap()), Some("sub_1".to_owned()));
        let actor = Some(Actor::system());
        for (account, object, actor, expected) in [
            (None, None, None, "SEARCH audit USING PRIMARY KEY (uid>? AND uid<?)"),
            (None, None, actor.clone(), "SEARCH audit USING PRIMARY KEY (uid>? AND uid<?)"),
            (account.clone(), None, actor, "INDEX audit_by_account (account=? AND uid>? AND uid<?)"),
            (account, object, None, "INDEX audit_by_object (object=? AND uid>? AND uid<?)"),
        ] {
            let filter = AuditFilter { account, object, actor, ..AuditFilter::default() };
            let plan = list_query(&filter, &Page { after: None, limit: 50 }).plan(&connection);
            assert!(plan.contains(expected), "{plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
