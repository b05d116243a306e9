//! Subscriptions: what they are searched by in columns, the whole as a document.

use resthooks::model::{AccountId, AuditEntry, Subscription, SubscriptionId, SubscriptionNo};
use resthooks::seal::Vault;
use resthooks::store::coding::{open_subscription, seal_subscription, subscription_status_code};
use resthooks::store::{Error, Page, SubscriptionFilter};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::audit;
use super::sealing::unreadable;
use crate::database::Database;
use crate::event_row::{account, count, get};
use crate::failure::corrupt;
use crate::query::Query;
use crate::store::Inner;
use crate::value::Uuid;

const SELECT: &str = "SELECT no, version, document FROM @.subscription";

/// Inserts one, with counters at their beginning, and gives its number.
pub(crate) async fn insert_subscription(
    inner: &Inner,
    new: &Subscription,
    entry: Option<&AuditEntry>,
) -> Result<SubscriptionNo, Error> {
    let (node, uid, account) = (inner.numbers.node(), Uuid(new.id.0), new.account.as_str());
    let (status, target, patterns) = (status_code(new), new.target_url.as_str(), patterns(new));
    let (document, created) = (seal_subscription(new, &inner.vault), new.created_at.as_millis());
    let (sealed_with, audit) = (inner.vault.sealing_id(), audit::columns(entry)?);
    let parameters = [
        (&node as _, Type::INT8),
        (&uid as _, Type::UUID),
        (&account as _, Type::TEXT),
        (&status as _, Type::INT2),
        (&target as _, Type::TEXT),
        (&patterns as _, Type::TEXT),
        (&document as _, Type::TEXT),
        (&sealed_with as _, Type::TEXT),
        (&created as _, Type::INT8),
        (&audit as _, Type::TEXT_ARRAY),
    ];
    let sql = "SELECT @.insert_subscription($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS no";
    let rows = inner.database.once(sql, &parameters).await?;
    let row = rows.first().ok_or_else(|| corrupt("a subscription's number"))?;
    Ok(SubscriptionNo(get(row, "no")?))
}

/// Replaces the one with this number and version. One that has gone with its account is not brought back.
pub(crate) async fn update_subscription(
    inner: &Inner,
    changed: &Subscription,
    entry: Option<&AuditEntry>,
) -> Result<(), Error> {
    let (node, version) = (inner.numbers.node(), changed.version.cast_signed());
    let (status, target, patterns) = (status_code(changed), changed.target_url.as_str(), patterns(changed));
    let document = seal_subscription(changed, &inner.vault);
    let (sealed_with, audit) = (inner.vault.sealing_id(), audit::columns(entry)?);
    let parameters = [
        (&node as _, Type::INT8),
        (&changed.no.0 as _, Type::INT8),
        (&version as _, Type::INT8),
        (&status as _, Type::INT2),
        (&target as _, Type::TEXT),
        (&patterns as _, Type::TEXT),
        (&document as _, Type::TEXT),
        (&sealed_with as _, Type::TEXT),
        (&audit as _, Type::TEXT_ARRAY),
    ];
    let sql = "SELECT @.update_subscription($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    inner.database.once(sql, &parameters).await?;
    Ok(())
}

fn status_code(subscription: &Subscription) -> i16 {
    i16::try_from(subscription_status_code(subscription.status)).unwrap_or(i16::MAX)
}

/// Each pattern between spaces, which none contains, so that one can be found to the letter.
fn patterns(subscription: &Subscription) -> String {
    subscription.events.iter().fold(" ".to_owned(), |all, pattern| all + pattern.as_str() + " ")
}

/// The one with this id.
pub(crate) async fn subscription(inner: &Inner, id: SubscriptionId) -> Result<Option<Subscription>, Error> {
    let mut query = Query::new(SELECT);
    query.given("uid = ?", Some(id.0));
    query.end("", 1);
    let read = |row: &Row| subscription_in(row, &inner.vault);
    Ok(query.read(&inner.database, read).await?.pop())
}

/// Those with these numbers.
pub(crate) async fn subscriptions_by_no(
    inner: &Inner,
    numbers: &[SubscriptionNo],
) -> Result<Vec<Subscription>, Error> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i64> = numbers.iter().map(|no| no.0).collect();
    let ask = format!("{SELECT} WHERE no = ANY ($1)");
    let rows = inner.database.read(&ask, &[(&numbers, Type::INT8_ARRAY)]).await?;
    rows.iter().map(|row| subscription_in(row, &inner.vault)).collect()
}

/// Which subscriptions these accounts have. Those that have ended stay in the table, more and more of them: they are
/// left out.
pub(crate) async fn live_subscriptions_of(
    database: &Database,
    accounts: &[&AccountId],
) -> Result<Vec<(AccountId, SubscriptionNo)>, Error> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let accounts: Vec<&str> = accounts.iter().map(|id| id.as_str()).collect();
    let ask = "SELECT account, no FROM @.subscription WHERE account = ANY ($1) AND status < 4";
    let subscription = |row: &Row| Ok((account(row, "account")?, SubscriptionNo(get(row, "no")?)));
    database.read(ask, &[(&accounts, Type::TEXT_ARRAY)]).await?.iter().map(subscription).collect()
}

/// The subscription in a row with its number, version and document.
pub(super) fn subscription_in(row: &Row, vault: &Vault) -> Result<Subscription, Error> {
    let mut subscription = open_subscription(get(row, "document")?, vault).map_err(unreadable)?;
    subscription.no = SubscriptionNo(get(row, "no")?);
    subscription.version = count(row, "version")?;
    Ok(subscription)
}

/// A page of them, newest first.
pub(crate) async fn list_subscriptions(
    inner: &Inner,
    filter: &SubscriptionFilter,
    page: &Page<SubscriptionId>,
) -> Result<Vec<Subscription>, Error> {
    let read = |row: &Row| subscription_in(row, &inner.vault);
    list_query(filter, page).read(&inner.database, read).await
}

/// Each shape has an index to go along.
pub(crate) fn list_query(filter: &SubscriptionFilter, page: &Page<SubscriptionId>) -> Query {
    let mut query = Query::new(SELECT);
    // Deleted ones never; the condition is also what lets the index over targets be used.
    query.fixed("status < 5");
    match filter.status {
        Some(status) => query.fixed(&format!("status = {}", subscription_status_code(status))),
        None => query.fixed("status < 4"),
    }
    // A cursor that is not there is no number, and nothing is below that.
    query.given("no < (SELECT c.no FROM @.subscription c WHERE c.uid = ?)", page.after.map(|id| id.0));
    query.given("account = ?", filter.account.as_ref().map(|id| id.as_str()));
    query.given("target_url = ?", filter.target_url.as_ref().map(|url| url.as_str()));
    let pattern = filter.event.as_ref().map(|pattern| format!(" {pattern} "));
    query.given("strpos(patterns, ?) > 0", pattern.as_deref());
    query.end(" ORDER BY no DESC", page.limit);
    query
}
