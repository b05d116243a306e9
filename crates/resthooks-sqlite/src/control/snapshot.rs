//! Everything that a node keeps in memory.

use resthooks::model::{EventSeq, Health, Progress, Timestamp};
use resthooks::store::{DeletedAccount, Error, Snapshot};
use rusqlite::{Connection, Row};

use super::subscription::subscription_in;
use super::{event_type, key};
use crate::event_row::{account, get};
use crate::failure::from_sqlite;

/// As one state of the store.
pub(crate) fn snapshot(connection: &Connection) -> Result<Snapshot, Error> {
    let mut snapshot = Snapshot {
        subscriptions: Vec::new(),
        event_types: event_type::all(connection)?,
        keys: key::all(connection)?,
        deletions: deletions(connection)?,
    };
    let mut ask = connection
        .prepare(
            "SELECT s.no, s.document, p.sequence, p.last_success_at, p.last_failure_at, p.failing_since, \
             p.consecutive_failures FROM subscription s CROSS JOIN progress p ON p.subscription = s.no \
             WHERE s.status < 4 ORDER BY s.no",
        )
        .map_err(from_sqlite)?;
    let mut rows = ask.query([]).map_err(from_sqlite)?;
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        snapshot.subscriptions.push((subscription_in(row)?, progress(row)?));
    }
    Ok(snapshot)
}

fn progress(row: &Row<'_>) -> Result<Progress, Error> {
    let at = |column| get::<Option<i64>>(row, column).map(|at| at.map(Timestamp::from_millis));
    Ok(Progress {
        sequence: get(row, 2)?,
        health: Health {
            last_success_at: at(3)?,
            last_failure_at: at(4)?,
            failing_since: at(5)?,
            consecutive_failures: get(row, 6)?,
        },
    })
}

fn deletions(connection: &Connection) -> Result<Vec<DeletedAccount>, Error> {
    let mut ask = connection
        .prepare("SELECT a.id, d.through FROM account_deletion d JOIN account a ON a.no = d.account")
        .map_err(from_sqlite)?;
    let mut rows = ask.query([]).map_err(from_sqlite)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        found.push(DeletedAccount { account: account(row, 0)?, through: EventSeq(get(row, 1)?) });
    }
    Ok(found)
}
