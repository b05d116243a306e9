//! Everything that a node keeps in memory.

use resthooks::model::{EventSeq, Health, Progress, SubscriptionNo, Timestamp};
use resthooks::seal::Vault;
use resthooks::store::{ChangeNo, DeletedAccount, Error, Snapshot, Standing};
use rusqlite::{Connection, Row};

use super::account::all_settings;
use super::subscription::subscription_in;
use super::{event_type, key};
use crate::event_row::{account, get};
use crate::failure::from_sqlite;

/// As one state of the store.
pub(crate) fn snapshot(connection: &Connection, vault: &Vault) -> Result<Snapshot, Error> {
    let mut snapshot = Snapshot {
        subscriptions: Vec::new(),
        event_types: event_type::all(connection)?,
        keys: key::all(connection)?,
        accounts: all_settings(connection)?,
        deletions: deletions(connection)?,
        // Nobody else changes anything.
        change: ChangeNo::default(),
    };
    let mut ask = connection
        .prepare(
            "SELECT s.no, s.version, s.document, p.sequence, p.last_success_at, p.last_failure_at, p.failing_since, \
             p.consecutive_failures FROM subscription s CROSS JOIN progress p ON p.subscription = s.no \
             WHERE s.status < 4 ORDER BY s.no",
        )
        .map_err(from_sqlite)?;
    let mut rows = ask.query([]).map_err(from_sqlite)?;
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        snapshot.subscriptions.push((subscription_in(row, vault)?, progress(row, 3)?));
    }
    Ok(snapshot)
}

/// The counters in a row's columns from `first` on.
fn progress(row: &Row<'_>, first: usize) -> Result<Progress, Error> {
    let at = |column| get::<Option<i64>>(row, column).map(|at| at.map(Timestamp::from_millis));
    Ok(Progress {
        sequence: get(row, first)?,
        health: Health {
            last_success_at: at(first + 1)?,
            last_failure_at: at(first + 2)?,
            failing_since: at(first + 3)?,
            consecutive_failures: get(row, first + 4)?,
        },
    })
}

const STANDING: &str = "SELECT p.subscription, p.sequence, p.last_success_at, p.last_failure_at, p.failing_since, \
     p.consecutive_failures, \
     (SELECT count(*) FROM delivery d INDEXED BY delivery_by_subscription_status \
      WHERE d.subscription = p.subscription AND d.status IN (1, 2) AND d.status <> 0) \
     FROM progress p WHERE p.subscription = ?1";

/// How these subscriptions stand; those that don't exist are left out.
pub(crate) fn standing(connection: &Connection, numbers: &[SubscriptionNo]) -> Result<Vec<Standing>, Error> {
    let mut ask = connection.prepare_cached(STANDING).map_err(from_sqlite)?;
    let mut found = Vec::new();
    for no in numbers {
        let mut rows = ask.query([no.0]).map_err(from_sqlite)?;
        if let Some(row) = rows.next().map_err(from_sqlite)? {
            let subscription = SubscriptionNo(get(row, 0)?);
            found.push(Standing { subscription, progress: progress(row, 1)?, waiting: get(row, 6)? });
        }
    }
    Ok(found)
}

/// Those that were begun and are not done.
pub(crate) fn deletions(connection: &Connection) -> Result<Vec<DeletedAccount>, Error> {
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
