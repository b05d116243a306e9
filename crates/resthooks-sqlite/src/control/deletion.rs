//! Deletes an account: what it manages at once, what it has sent in steps.
//!
//! A step is one short transaction, so that an account with millions of events does not hold up everybody's
//! commits. The deletion is written down first and struck out last: a restart goes on with it.

use resthooks::model::{AccountId, AuditEntry, EventSeq};
use resthooks::store::{DeletedAccount, Error};
use rusqlite::{Connection, OptionalExtension as _};

use super::account::holds_anything;
use super::audit::write_audit;
use crate::failure::from_sqlite;
use crate::writer::Work;

/// The most rows that go in one step, some ten milliseconds of work, whatever the number of events: one event may
/// have thousands of deliveries.
const ROWS: usize = 1_000;

/// Starts it; `None` when the account holds nothing.
pub(crate) fn begin_delete_account(
    work: &mut Work<'_>,
    id: &AccountId,
    audit: Option<&AuditEntry>,
) -> Result<Option<DeletedAccount>, Error> {
    let Some(no) = work.memory.known_account(work.connection, id)? else { return Ok(None) };
    if !holds_anything(work.connection, no)? {
        return Ok(None);
    }
    let through = EventSeq(work.memory.last);
    begin(work.connection, no, through).map_err(from_sqlite)?;
    write_audit(work.connection, audit)?;
    work.memory.end_account(id.clone(), through);
    Ok(Some(DeletedAccount { account: id.clone(), through }))
}

fn begin(connection: &Connection, no: i64, through: EventSeq) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM api_key WHERE account = ?1", [no])?;
    connection.execute(
        "DELETE FROM progress WHERE subscription IN (SELECT no FROM subscription WHERE account = ?1)",
        [no],
    )?;
    connection.execute("DELETE FROM subscription WHERE account = ?1", [no])?;
    connection.execute("UPDATE account SET settings = NULL WHERE no = ?1", [no])?;
    // The last event may be among those that go, and its number must not be given again.
    connection.execute("UPDATE position SET floor = max(floor, ?1)", [through.0])?;
    connection.execute(
        "INSERT INTO account_deletion (account, through) VALUES (?1, ?2) \
         ON CONFLICT (account) DO UPDATE SET through = max(through, excluded.through)",
        (no, through.0),
    )?;
    Ok(())
}

/// Deletes up to `limit` more events; whether it is done.
pub(crate) fn delete_account_step(
    work: &mut Work<'_>,
    deleted: &DeletedAccount,
    limit: usize,
) -> Result<bool, Error> {
    let Some(no) = work.memory.known_account(work.connection, &deleted.account)? else { return Ok(true) };
    let done = step(work.connection, no, deleted.through, limit).map_err(from_sqlite)?;
    if done {
        // A later deletion of the same account, with more events, is not struck out by the end of this one.
        work.connection
            .execute(
                "DELETE FROM account_deletion WHERE account = ?1 AND through <= ?2",
                (no, deleted.through.0),
            )
            .map_err(from_sqlite)?;
        if !holds_anything(work.connection, no)?
            && !is_being_deleted(work.connection, no).map_err(from_sqlite)?
        {
            work.connection.execute("DELETE FROM account WHERE no = ?1", [no]).map_err(from_sqlite)?;
            work.memory.forget_account(&deleted.account);
        }
    }
    Ok(done)
}

fn is_being_deleted(connection: &Connection, no: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM account_deletion WHERE account = ?1")?.exists([no])
}

/// Whether no event is left up to `through`.
fn step(connection: &Connection, no: i64, through: EventSeq, limit: usize) -> rusqlite::Result<bool> {
    let mut rows_left = ROWS;
    for _ in 0..limit {
        let event = connection
            .prepare_cached(
                "SELECT seq, id FROM event INDEXED BY event_by_account WHERE account = ?1 AND seq <= ?2 \
                 ORDER BY seq LIMIT 1",
            )?
            .query_row((no, through.0), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((seq, id)) = event else { return Ok(true) };
        rows_left = rows_left.saturating_sub(delete_deliveries(connection, seq, rows_left)?);
        if rows_left == 0 {
            return Ok(false);
        }
        delete_event(connection, no, seq, id)?;
        rows_left -= 1;
    }
    let more = "SELECT 1 FROM event INDEXED BY event_by_account WHERE account = ?1 AND seq <= ?2";
    Ok(!connection.prepare_cached(more)?.exists((no, through.0))?)
}

/// Deletes an event's deliveries with their attempts, at most `limit` rows; how many went.
pub(crate) fn delete_deliveries(connection: &Connection, seq: i64, limit: usize) -> rusqlite::Result<usize> {
    let attempts = connection
        .prepare_cached(
            "DELETE FROM attempt WHERE event_seq = ?1 AND (subscription, place) IN \
             (SELECT subscription, place FROM attempt WHERE event_seq = ?1 LIMIT ?2)",
        )?
        .execute((seq, limit))?;
    let deliveries = connection
        .prepare_cached(
            "DELETE FROM delivery WHERE event_seq = ?1 AND subscription IN \
             (SELECT subscription FROM delivery WHERE event_seq = ?1 LIMIT ?2)",
        )?
        .execute((seq, limit - attempts))?;
    Ok(attempts + deliveries)
}

/// Deletes an event of this account, and its producer's id.
pub(crate) fn delete_event(
    connection: &Connection,
    no: i64,
    seq: i64,
    id: Option<String>,
) -> rusqlite::Result<()> {
    if let Some(id) = id {
        connection
            .prepare_cached("DELETE FROM event_id WHERE id = ?1 AND account = ?2")?
            .execute((id, no))?;
    }
    connection.prepare_cached("DELETE FROM event WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}
