//! Reads events.

use resthooks::model::{AccountId, EventId, SequencedEvent, Uid};
use resthooks::store::{Error, EventFilter, Page};
use rusqlite::{Connection, OptionalExtension as _};

use super::period::numbers_within;
use crate::event_row::{COLUMNS, JOINS, event};
use crate::failure::from_sqlite;
use crate::memory::{account_no, name_no};
use crate::query::Query;

/// Events with this public id: at most one per account, at most two in all.
pub(crate) fn events_by_id(
    connection: &Connection,
    account: Option<&AccountId>,
    id: &EventId,
) -> Result<Vec<SequencedEvent>, Error> {
    let account = match account {
        None => None,
        Some(id) => match account_no(connection, id)? {
            None => return Ok(Vec::new()),
            found => found,
        },
    };
    let mut own =
        Query::new(format!("SELECT {COLUMNS} FROM event_id i CROSS JOIN event e ON e.seq = i.seq {JOINS}"));
    own.given("i.id = ?", Some(id.as_str().to_owned()));
    own.given("i.account = ?", account);
    own.end(" ORDER BY e.seq DESC", 2);
    let mut found = own.read(connection, event)?;
    if let Some(uid) = id.as_generated() {
        let mut made = Query::new(format!("SELECT {COLUMNS} FROM event e {JOINS}"));
        made.given("e.uid = ?", Some(uid.to_bytes().to_vec()));
        made.given("e.account = ?", account);
        made.fixed("e.id IS NULL");
        made.end("", 1);
        found.extend(made.read(connection, event)?);
        found.truncate(2);
    }
    Ok(found)
}

/// The event with this unique part.
pub(crate) fn event_by_uid(connection: &Connection, uid: Uid) -> Result<Option<SequencedEvent>, Error> {
    let mut query = Query::new(format!("SELECT {COLUMNS} FROM event e {JOINS}"));
    query.given("e.uid = ?", Some(uid.to_bytes().to_vec()));
    query.end("", 1);
    Ok(query.read(connection, event)?.pop())
}

/// The number of the event with this unique part.
pub(super) fn seq_of(connection: &Connection, uid: Uid) -> Result<Option<i64>, Error> {
    connection
        .prepare_cached("SELECT seq FROM event WHERE uid = ?1")
        .and_then(|mut ask| ask.query_row([uid.to_bytes()], |row| row.get(0)).optional())
        .map_err(from_sqlite)
}

/// Filters on events with names replaced by numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbered {
    pub(super) account: Option<i64>,
    pub(super) name: Option<i64>,
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Numbered {
    /// `None` when nothing can fit the filter.
    pub(super) fn of(connection: &Connection, filter: &EventFilter) -> Result<Option<Self>, Error> {
        let account = filter.account.as_ref().map(|id| account_no(connection, id)).transpose()?;
        let name = filter.event.as_ref().map(|name| name_no(connection, name)).transpose()?;
        let numbers = numbers_within(connection, filter.since, filter.until).map_err(from_sqlite)?;
        Ok(match (account, name, numbers) {
            (Some(None), _, _) | (_, Some(None), _) | (_, _, None) => None,
            (account, name, Some((first, last))) => {
                Some(Self { account: account.flatten(), name: name.flatten(), first, last })
            }
        })
    }

    /// How to go through the events that fit, newest first.
    pub(super) const fn index(self) -> &'static str {
        match (self.account, self.name) {
            (Some(_), _) => "INDEXED BY event_by_account",
            (None, Some(_)) => "INDEXED BY event_by_name",
            (None, None) => "NOT INDEXED",
        }
    }

    /// The conditions on `event e`; the time is looked at only where there is a filter.
    pub(super) fn conditions(self, query: &mut Query, filter: &EventFilter) {
        query.given("e.account = ?", self.account);
        query.given("e.name = ?", self.name);
        query.given("e.seq >= ?", Some(self.first));
        query.given("e.seq <= ?", Some(self.last));
        query.given("e.created_at >= ?", filter.since.map(|at| at.as_millis()));
        query.given("e.created_at < ?", filter.until.map(|at| at.as_millis()));
    }
}

/// A page of them, newest first.
pub(crate) fn list_events(
    connection: &Connection,
    filter: &EventFilter,
    page: &Page<Uid>,
) -> Result<Vec<SequencedEvent>, Error> {
    let Some(mut numbered) = Numbered::of(connection, filter)? else { return Ok(Vec::new()) };
    if let Some(after) = page.after {
        let Some(seq) = seq_of(connection, after)? else { return Ok(Vec::new()) };
        numbered.last = numbered.last.min(seq - 1);
    }
    list_query(numbered, filter, page.limit).read(connection, event)
}

fn list_query(numbered: Numbered, filter: &EventFilter, limit: usize) -> Query {
    let mut query = Query::new(format!("SELECT {COLUMNS} FROM event e {} {JOINS}", numbered.index()));
    numbered.conditions(&mut query, filter);
    query.end(" ORDER BY e.seq DESC", limit);
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_follows_an_index_and_sorts_nothing() {
        let connection = crate::schema::in_memory();
        for (account, name, expected) in [
            (None, None, "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            (Some(1), None, "SEARCH e USING INDEX event_by_account (account=? AND seq>? AND seq<?)"),
            (None, Some(1), "SEARCH e USING INDEX event_by_name (name=? AND seq>? AND seq<?)"),
            (Some(1), Some(1), "SEARCH e USING INDEX event_by_account (account=? AND seq>? AND seq<?)"),
        ] {
            let numbered = Numbered { account, name, first: 1, last: 9 };
            let plan = list_query(numbered, &EventFilter::default(), 50).plan(&connection);
            assert!(plan.starts_with(expected), "{plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
