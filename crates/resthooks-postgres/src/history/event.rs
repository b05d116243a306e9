//! Reads events.

use resthooks::model::{AccountId, EventId, SequencedEvent, Uid};
use resthooks::store::{Error, EventFilter, Page};

use crate::database::Database;
use crate::event_row::{COLUMNS, event, get};
use crate::numbers::numbers_around;
use crate::query::Query;

/// Events whose time is further than this from their number's are in an index of their own.
const SLACK_MS: i64 = 600_000;

/// What that index is over, to the letter.
const OF_OTHER_TIMES: &str = "e.created_at - (e.seq >> 21) NOT BETWEEN -600000 AND 600000";

/// Events with this public id: at most one per account, at most two in all.
pub(crate) async fn events_by_id(
    database: &Database,
    account: Option<&AccountId>,
    id: &EventId,
) -> Result<Vec<SequencedEvent>, Error> {
    let account = account.map(AccountId::as_str);
    let mut own = Query::new(format!(
        "SELECT {COLUMNS} FROM @.event_id i CROSS JOIN LATERAL \
         (SELECT * FROM @.event e WHERE e.account = i.account AND e.seq = i.seq LIMIT 1) e"
    ));
    own.given("i.id = ?", Some(id.as_str()));
    own.given("i.account = ?", account);
    own.end(" ORDER BY e.seq DESC", 2);
    let mut found = own.read(database, event).await?;
    if let Some(uid) = id.as_generated() {
        let mut made = Query::new(format!("SELECT {COLUMNS} FROM @.event e"));
        made.given("e.uid = ?", Some(uid));
        made.given("e.account = ?", account);
        made.fixed("e.id IS NULL");
        made.end("", 1);
        found.extend(made.read(database, event).await?);
        found.truncate(2);
    }
    Ok(found)
}

/// The event with this unique part.
pub(crate) async fn event_by_uid(database: &Database, uid: Uid) -> Result<Option<SequencedEvent>, Error> {
    let mut query = Query::new(format!("SELECT {COLUMNS} FROM @.event e"));
    query.given("e.uid = ?", Some(uid));
    query.end("", 1);
    Ok(query.read(database, event).await?.pop())
}

/// The number of the event with this unique part.
pub(super) async fn seq_of(database: &Database, uid: Uid) -> Result<Option<i64>, Error> {
    let mut query = Query::new("SELECT e.seq FROM @.event e");
    query.given("e.uid = ?", Some(uid));
    query.end("", 1);
    Ok(query.read(database, |row| get(row, "seq")).await?.pop())
}

/// A page of them, newest first.
pub(crate) async fn list_events(
    database: &Database,
    filter: &EventFilter,
    page: &Page<Uid>,
) -> Result<Vec<SequencedEvent>, Error> {
    let mut last = i64::MAX;
    if let Some(after) = page.after {
        let Some(seq) = seq_of(database, after).await? else { return Ok(Vec::new()) };
        last = seq - 1;
    }
    list_query(COLUMNS, filter, &[], last, page.limit).read(database, event).await
}

/// Those up to `last`, newest first. Those whose time is what their number says are found by their numbers; only with a
/// filter on time the others are looked for as well.
pub(super) fn list_query(
    columns: &str,
    filter: &EventFilter,
    conditions: &[&str],
    last: i64,
    limit: usize,
) -> Query {
    let timed = filter.since.is_some() || filter.until.is_some();
    let (lowest, highest) = numbers_around(filter.since, filter.until, SLACK_MS);
    let open = if timed { "(" } else { "" };
    let mut query = Query::new(format!("{open}SELECT {columns} FROM @.event e"));
    query.given_two("e.seq BETWEEN ? AND ?", lowest, highest.min(last));
    common(&mut query, filter, conditions);
    query.end(" ORDER BY e.seq DESC", limit);
    if timed {
        query.then(&format!(") UNION ALL (SELECT {columns} FROM @.event e"));
        query.fixed(OF_OTHER_TIMES);
        query.given_two("e.seq NOT BETWEEN ? AND ?", lowest, highest);
        query.given("e.seq <= ?", Some(last));
        common(&mut query, filter, conditions);
        query.end(" ORDER BY e.seq DESC", limit);
        query.then(")");
        query.end(" ORDER BY seq DESC", limit);
    }
    query
}

fn common(query: &mut Query, filter: &EventFilter, conditions: &[&str]) {
    query.given("e.account = ?", filter.account.as_ref().map(AccountId::as_str));
    // With an account, the index over names would lead through everybody's events: this fits none.
    let named = if filter.account.is_some() { "e.name || '' = ?" } else { "e.name = ?" };
    query.given(named, filter.event.as_ref().map(|name| name.as_str()));
    query.given("e.created_at >= ?", filter.since.map(|at| at.as_millis()));
    query.given("e.created_at < ?", filter.until.map(|at| at.as_millis()));
    for condition in conditions {
        query.fixed(condition);
    }
}
