//! Subscriptions: what they are searched by in columns, the whole as a document.

use resthooks::model::{AuditEntry, Subscription, SubscriptionId, SubscriptionNo};
use resthooks::seal::Vault;
use resthooks::store::coding::{open_subscription, seal_subscription, subscription_status_code};
use resthooks::store::{Error, Page, SubscriptionFilter};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};

use super::audit::write_audit;
use super::sealing::{note_sealing_key, unreadable};
use crate::event_row::{get, text};
use crate::failure::from_sqlite;
use crate::memory::account_no;
use crate::query::Query;
use crate::writer::Work;

/// Inserts one, with counters at their beginning, and gives its number.
pub(crate) fn insert_subscription(
    work: &mut Work<'_>,
    new: &Subscription,
    audit: Option<&AuditEntry>,
) -> Result<SubscriptionNo, Error> {
    let account = work.memory.account(work.connection, &new.account, new.created_at)?;
    note_sealing_key(work.connection, work.vault)?;
    let no = work
        .connection
        .prepare_cached(
            "INSERT INTO subscription (uid, account, status, target_url, patterns, document, sealed_with) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut insert| {
            insert.insert((
                new.id.0.to_bytes(),
                account,
                subscription_status_code(new.status),
                new.target_url.as_str(),
                patterns(new),
                seal_subscription(new, work.vault),
                work.vault.sealing_id(),
            ))
        })
        .map_err(from_sqlite)?;
    work.connection
        .prepare_cached(
            "INSERT INTO progress (subscription, sequence, consecutive_failures) VALUES (?1, 0, 0)",
        )
        .and_then(|mut insert| insert.execute([no]))
        .map_err(from_sqlite)?;
    write_audit(work.connection, audit)?;
    Ok(SubscriptionNo(no))
}

/// Replaces the one with this number and version. One that has gone with its account is not brought back.
pub(crate) fn update_subscription(
    work: &mut Work<'_>,
    changed: &Subscription,
    audit: Option<&AuditEntry>,
) -> Result<(), Error> {
    note_sealing_key(work.connection, work.vault)?;
    let updated = work
        .connection
        .prepare_cached(
            "UPDATE subscription SET status = ?2, target_url = ?3, patterns = ?4, document = ?5, \
             sealed_with = ?7, version = version + 1 WHERE no = ?1 AND version = ?6",
        )
        .and_then(|mut update| {
            update.execute((
                changed.no.0,
                subscription_status_code(changed.status),
                changed.target_url.as_str(),
                patterns(changed),
                seal_subscription(changed, work.vault),
                changed.version,
                work.vault.sealing_id(),
            ))
        })
        .map_err(from_sqlite)?;
    if updated == 1 { write_audit(work.connection, audit) } else { Err(Error::Overtaken) }
}

/// Each pattern between spaces, which none contains, so that one can be found to the letter.
fn patterns(subscription: &Subscription) -> String {
    subscription.events.iter().fold(" ".to_owned(), |all, pattern| all + pattern.as_str() + " ")
}

/// The one with this id.
pub(crate) fn subscription(
    connection: &Connection,
    vault: &Vault,
    id: SubscriptionId,
) -> Result<Option<Subscription>, Error> {
    one(connection, vault, "SELECT no, version, document FROM subscription WHERE uid = ?1", &id.0.to_bytes())
}

/// Those with these numbers.
pub(crate) fn subscriptions_by_no(
    connection: &Connection,
    vault: &Vault,
    numbers: &[SubscriptionNo],
) -> Result<Vec<Subscription>, Error> {
    let by_no = "SELECT no, version, document FROM subscription WHERE no = ?1";
    numbers.iter().filter_map(|no| one(connection, vault, by_no, &no.0).transpose()).collect()
}

fn one(
    connection: &Connection,
    vault: &Vault,
    sql: &str,
    key: &dyn ToSql,
) -> Result<Option<Subscription>, Error> {
    connection
        .prepare_cached(sql)
        .and_then(|mut ask| ask.query_row([key], |row| Ok(subscription_in(row, vault))).optional())
        .map_err(from_sqlite)?
        .transpose()
}

/// The subscription in a row that begins with its number, version and document.
pub(super) fn subscription_in(row: &Row<'_>, vault: &Vault) -> Result<Subscription, Error> {
    let mut subscription = open_subscription(text(row, 2)?, vault).map_err(unreadable)?;
    subscription.no = SubscriptionNo(get(row, 0)?);
    subscription.version = get(row, 1)?;
    Ok(subscription)
}

/// A page of them, newest first.
pub(crate) fn list_subscriptions(
    connection: &Connection,
    vault: &Vault,
    filter: &SubscriptionFilter,
    page: &Page<SubscriptionId>,
) -> Result<Vec<Subscription>, Error> {
    let account = match &filter.account {
        None => None,
        Some(id) => match account_no(connection, id)? {
            None => return Ok(Vec::new()),
            found => found,
        },
    };
    let before = match page.after {
        None => i64::MAX,
        Some(id) => match no_of(connection, id)? {
            None => return Ok(Vec::new()),
            Some(no) => no,
        },
    };
    list_query(filter, account, before, page.limit).read(connection, |row| subscription_in(row, vault))
}

fn no_of(connection: &Connection, id: SubscriptionId) -> Result<Option<i64>, Error> {
    connection
        .prepare_cached("SELECT no FROM subscription WHERE uid = ?1")
        .and_then(|mut ask| ask.query_row([id.0.to_bytes()], |row| row.get(0)).optional())
        .map_err(from_sqlite)
}

/// Over the most selective index for these filters.
pub(crate) fn list_query(
    filter: &SubscriptionFilter,
    account: Option<i64>,
    before: i64,
    limit: usize,
) -> Query {
    let index = match (&filter.target_url, account, filter.status) {
        (Some(_), _, _) => "subscription_by_target",
        (None, Some(_), Some(_)) => "subscription_by_account",
        (None, Some(_), None) => "subscription_live_by_account",
        (None, None, Some(_)) => "subscription_by_status",
        (None, None, None) => "subscription_live",
    };
    let mut query = Query::new(format!("SELECT no, version, document FROM subscription INDEXED BY {index}"));
    // Deleted ones never; the condition is also what lets the index over targets be used.
    query.fixed("status < 5");
    match filter.status {
        Some(status) => query.fixed(&format!("status = {}", subscription_status_code(status))),
        None => query.fixed("status < 4"),
    }
    query.given("no < ?", Some(before));
    query.given("account = ?", account);
    query.given("target_url = ?", filter.target_url.as_ref().map(|url| url.as_str().to_owned()));
    query.given("instr(patterns, ?) > 0", filter.event.as_ref().map(|pattern| format!(" {pattern} ")));
    query.end(" ORDER BY no DESC", limit);
    query
}

#[cfg(test)]
mod tests {
    use resthooks::model::SubscriptionStatus;

    use super::*;

    #[test]
    fn every_list_follows_an_index() {
        let connection = crate::schema::in_memory();
        let target = Some("https://example.com/".parse().unwrap());
        for (account, status, target_url, expected) in [
            (None, None, None, "INDEX subscription_live (no<?)"),
            (Some(1), None, None, "INDEX subscription_live_by_account (account=? AND no<?)"),
            (
                Some(1),
                Some(SubscriptionStatus::Gone),
                None,
                "INDEX subscription_by_account (account=? AND status=? AND no<?)",
            ),
            (None, Some(SubscriptionStatus::Gone), None, "INDEX subscription_by_status (status=? AND no<?)"),
            (Some(1), None, target, "INDEX subscription_by_target (target_url=? AND account=? AND no<?)"),
        ] {
            let filter = SubscriptionFilter { status, target_url, ..SubscriptionFilter::default() };
            let plan = list_query(&filter, account, 9, 50).plan(&connection);
            assert!(plan.contains(expected), "{plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
