//! What the writer remembers between transactions, so that the happy path reads nothing.
//!
//! All of it can be read from the file again, and is, whenever a transaction did not end well: nothing here may
//! ever run ahead of what is durable.

use std::collections::HashMap;

use resthooks::model::{AccountId, EventName, EventSeq, Timestamp};
use resthooks::store::Error;
use rusqlite::{Connection, OptionalExtension as _};

use crate::failure::{corrupt, from_sqlite};

/// The most accounts whose numbers are remembered; then they are forgotten and looked up again.
const ACCOUNTS: usize = 16_384;
/// The same for names of event types.
const NAMES: usize = 4_096;
/// After so many events a run's times are written down and the next one begins.
const PERIOD: i64 = 1_024;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The last event's number.
    pub(crate) last: i64,
    accounts: HashMap<AccountId, i64>,
    names: HashMap<EventName, i64>,
    period: Period,
    ended: HashMap<AccountId, EventSeq>,
    ending: Vec<(AccountId, EventSeq)>,
}

/// The run of events that has not been written down yet.
#[derive(Debug, Default, Clone, Copy)]
struct Period {
    first: i64,
    earliest: Option<i64>,
    latest: Option<i64>,
}

impl Memory {
    /// Reads everything again. What is known of ended accounts outlives it: their late records keep coming.
    pub(crate) fn reload(&mut self, connection: &Connection) -> Result<(), Error> {
        self.accounts.clear();
        self.names.clear();
        self.ending.clear();
        self.read(connection).map_err(from_sqlite)?;
        let mut deletions = connection
            .prepare_cached(
                "SELECT a.id, d.through FROM account_deletion d JOIN account a ON a.no = d.account",
            )
            .map_err(from_sqlite)?;
        let mut rows = deletions.query([]).map_err(from_sqlite)?;
        while let Some(row) = rows.next().map_err(from_sqlite)? {
            let id = row.get_ref(0).map_err(from_sqlite)?.as_str().ok().and_then(|id| id.parse().ok());
            let through = EventSeq(row.get(1).map_err(from_sqlite)?);
            self.ended.insert(id.ok_or_else(|| corrupt("an account"))?, through);
        }
        Ok(())
    }

    fn read(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.last = last(connection)?;
        let before: i64 =
            connection.query_row("SELECT coalesce(max(last_seq), 0) FROM period", [], |row| row.get(0))?;
        self.period = connection.query_row(
            "SELECT min(created_at), max(created_at) FROM event WHERE seq > ?1",
            [before],
            |row| Ok(Period { first: before + 1, earliest: row.get(0)?, latest: row.get(1)? }),
        )?;
        Ok(())
    }

    /// The account's number; it gets one when it has none.
    pub(crate) fn account(
        &mut self,
        connection: &Connection,
        id: &AccountId,
        now: Timestamp,
    ) -> Result<i64, Error> {
        if let Some(no) = self.accounts.get(id) {
            return Ok(*no);
        }
        let no = match account_no(connection, id)? {
            Some(no) => no,
            None => connection
                .prepare_cached("INSERT INTO account (id, created_at) VALUES (?1, ?2)")
                .and_then(|mut insert| insert.insert((id.as_str(), now.as_millis())))
                .map_err(from_sqlite)?,
        };
        self.remember_account(id, no);
        Ok(no)
    }

    fn remember_account(&mut self, id: &AccountId, no: i64) {
        if self.accounts.len() >= ACCOUNTS {
            self.accounts.clear();
        }
        self.accounts.insert(id.clone(), no);
    }

    /// The account's number when it has one.
    pub(crate) fn known_account(
        &mut self,
        connection: &Connection,
        id: &AccountId,
    ) -> Result<Option<i64>, Error> {
        if let Some(no) = self.accounts.get(id) {
            return Ok(Some(*no));
        }
        let found = account_no(connection, id)?;
        if let Some(no) = found {
            self.remember_account(id, no);
        }
        Ok(found)
    }

    pub(crate) fn forget_account(&mut self, id: &AccountId) {
        self.accounts.remove(id);
    }

    /// The number of an event type's name; it gets one when it has none.
    pub(crate) fn name(&mut self, connection: &Connection, name: &EventName) -> Result<i64, Error> {
        if let Some(no) = self.names.get(name) {
            return Ok(*no);
        }
        let no = match name_no(connection, name)? {
            Some(no) => no,
            None => connection
                .prepare_cached("INSERT INTO event_name (name) VALUES (?1)")
                .and_then(|mut insert| insert.insert([name.as_str()]))
                .map_err(from_sqlite)?,
        };
        if self.names.len() >= NAMES {
            self.names.clear();
        }
        self.names.insert(name.clone(), no);
        Ok(no)
    }

    /// Takes the next number for an event that happened at `at`.
    pub(crate) fn number(&mut self, at: Timestamp) -> i64 {
        let at = at.as_millis();
        self.last += 1;
        self.period.earliest = Some(self.period.earliest.map_or(at, |earliest| earliest.min(at)));
        self.period.latest = Some(self.period.latest.map_or(at, |latest| latest.max(at)));
        self.last
    }

    /// Writes the run of events down when it is long enough. Called once the events are inserted.
    pub(crate) fn end_period(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Period { first, earliest: Some(earliest), latest: Some(latest) } = self.period else {
            return Ok(());
        };
        if self.last - first + 1 < PERIOD {
            return Ok(());
        }
        connection
            .prepare_cached(
                "INSERT INTO period (last_seq, first_seq, earliest, latest) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((self.last, first, earliest, latest))?;
        self.period = Period { first: self.last + 1, earliest: None, latest: None };
        Ok(())
    }

    /// Notes that an account's events up to `through` are being deleted, once the transaction has committed.
    pub(crate) fn end_account(&mut self, id: AccountId, through: EventSeq) {
        self.ending.push((id, through));
    }

    /// Where a job begins, to go back to when it fails.
    pub(crate) const fn mark(&self) -> usize {
        self.ending.len()
    }

    /// Forgets what a failed job noted. The rest of what it changed here is read again after its transaction.
    pub(crate) fn back_to(&mut self, mark: usize) {
        self.ending.truncate(mark);
    }

    /// Whether this event's account was deleted after it: a late record of it must leave nothing behind.
    pub(crate) fn has_ended(&self, account: &AccountId, event: EventSeq) -> bool {
        self.ended.get(account).is_some_and(|through| event <= *through)
            || self.ending.iter().any(|(id, through)| id == account && event <= *through)
    }

    /// The transaction is durable.
    pub(crate) fn committed(&mut self) {
        self.ended.extend(self.ending.drain(..));
    }
}

/// The last event's number. Deleted ones count: a number is never given twice.
pub(crate) fn last(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT max(floor, coalesce((SELECT max(seq) FROM event), 0)) FROM position")?
        .query_row([], |row| row.get(0))
}

pub(crate) fn account_no(connection: &Connection, id: &AccountId) -> Result<Option<i64>, Error> {
    connection
        .prepare_cached("SELECT no FROM account WHERE id = ?1")
        .and_then(|mut find| find.query_row([id.as_str()], |row| row.get(0)).optional())
        .map_err(from_sqlite)
}

pub(crate) fn name_no(connection: &Connection, name: &EventName) -> Result<Option<i64>, Error> {
    connection
        .prepare_cached("SELECT no FROM event_name WHERE name = ?1")
        .and_then(|mut find| find.query_row([name.as_str()], |row| row.get(0)).optional())
        .map_err(from_sqlite)
}
