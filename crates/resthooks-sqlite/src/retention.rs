//! Deletes what is old, and returns its space to the file system, some at a time.
//!
//! A step is a job of the writer like any other, and so shares its transaction; it is short whatever lies in its way.
//! It never touches what waits, nor events above the watermark.

use resthooks::model::{EventSeq, Timestamp, Uid};
use resthooks::store::{Error, Expire, Expired, Expiring, Holdings};
use rusqlite::{Connection, OptionalExtension as _};

use crate::control::{delete_deliveries, delete_event};
use crate::failure::from_sqlite;
use crate::writer::Work;

/// The most rows that go in one step.
const ROWS: usize = 400;
/// The most bytes of events that go in one step: each of their pages has to be read.
const BYTES: u64 = 1024 * 1024;
/// Pages that are returned in one step.
const PAGES: usize = 128;
/// Free pages that are kept for what comes next.
const SPARE: i64 = 256;

const SCAN: &str = "SELECT seq, uid, account, id, length(data) FROM event \
                    WHERE seq > ?1 AND seq <= (SELECT watermark FROM position) ORDER BY seq LIMIT ?2";

const IS_IN: &str = "SELECT 1 FROM delivery INDEXED BY delivery_by_status \
                     WHERE status = ?1 AND status <> 0 AND event_seq = ?2";

/// One that may have to go.
struct Candidate {
    seq: i64,
    uid: Uid,
    account: i64,
    id: Option<String>,
    bytes: u64,
}

/// Deletes some; see the interface.
pub(crate) fn expire(work: &mut Work<'_>, ask: &Expire) -> Result<Expired, Error> {
    let done = match ask.what {
        Expiring::Events { before, missed_before } => events(work.connection, ask, before, missed_before),
        Expiring::Oldest { before } => events(work.connection, ask, before, before),
        Expiring::Attempts { before } => attempts(work.connection, ask, before),
        Expiring::Audit { before } => audit(work.connection, ask, before),
    };
    done.map_err(from_sqlite)
}

/// The next ones; whether there may be more behind them.
fn candidates(
    connection: &Connection,
    ask: &Expire,
    before: Timestamp,
) -> rusqlite::Result<(Vec<Candidate>, bool)> {
    let mut scan = connection.prepare_cached(SCAN)?;
    let mut rows = scan.query((ask.after.0, ask.limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let uid = Uid::from_bytes(row.get(1)?);
        // Numbers ascend with the time of acceptance, give or take a clock that was set back: those that stand behind one
        // that is young wait for it.
        if uid.time() >= before {
            return Ok((found, false));
        }
        found.push(Candidate {
            seq: row.get(0)?,
            uid,
            account: row.get(2)?,
            id: row.get(3)?,
            bytes: row.get(4)?,
        });
    }
    let more = found.len() >= ask.limit;
    Ok((found, more))
}

fn events(
    connection: &Connection,
    ask: &Expire,
    before: Timestamp,
    missed_before: Timestamp,
) -> rusqlite::Result<Expired> {
    let (found, more) = candidates(connection, ask, before)?;
    let mut done = Expired { gone: 0, last: found.last().filter(|_| more).map(|last| EventSeq(last.seq)) };
    let (mut rows, mut bytes) = (ROWS, BYTES);
    let mut at = ask.after.0;
    for one in found {
        if is_kept(connection, &one, missed_before)? {
            at = one.seq;
            continue;
        }
        // The first one goes whatever its size, or nothing would ever go.
        let next_bytes = bytes.checked_sub(one.bytes);
        if next_bytes.is_none() && bytes < BYTES {
            done.last = Some(EventSeq(at));
            break;
        }
        bytes = next_bytes.unwrap_or(0);
        rows = rows.saturating_sub(delete_deliveries(connection, one.seq, rows)?);
        if rows == 0 {
            done.last = Some(EventSeq(at));
            break;
        }
        delete_event(connection, one.account, one.seq, one.id)?;
        (rows, at) = (rows - 1, one.seq);
        done.gone += 1;
    }
    // The last event may have gone, and its number must not be given again.
    connection.prepare_cached("UPDATE position SET floor = ?1 WHERE floor < ?1")?.execute([at])?;
    Ok(done)
}

/// Whether it waits to be sent, or was missed not long ago.
fn is_kept(connection: &Connection, one: &Candidate, missed_before: Timestamp) -> rusqlite::Result<bool> {
    let mut is_in = connection.prepare_cached(IS_IN)?;
    Ok(is_in.exists((1, one.seq))?
        || is_in.exists((2, one.seq))?
        || (one.uid.time() >= missed_before && is_in.exists((3, one.seq))?))
}

fn attempts(connection: &Connection, ask: &Expire, before: Timestamp) -> rusqlite::Result<Expired> {
    let (found, more) = candidates(connection, ask, before)?;
    let mut done = Expired { gone: 0, last: found.last().filter(|_| more).map(|last| EventSeq(last.seq)) };
    let mut rows = ROWS;
    let mut at = ask.after.0;
    for one in found {
        let first = connection
            .prepare_cached(
                "UPDATE delivery SET first_attempt = NULL WHERE event_seq = ?1 AND status NOT IN (1, 2) \
                 AND subscription IN (SELECT subscription FROM delivery \
                 WHERE event_seq = ?1 AND first_attempt IS NOT NULL AND status NOT IN (1, 2) LIMIT ?2)",
            )?
            .execute((one.seq, rows))?;
        rows = rows.saturating_sub(first);
        let further = connection
            .prepare_cached(
                "DELETE FROM attempt WHERE event_seq = ?1 AND (subscription, place) IN (SELECT a.subscription, a.place \
                 FROM attempt a JOIN delivery d ON d.event_seq = a.event_seq AND d.subscription = a.subscription \
                 WHERE a.event_seq = ?1 AND d.status NOT IN (1, 2) LIMIT ?2)",
            )?
            .execute((one.seq, rows))?;
        rows = rows.saturating_sub(further);
        done.gone += (first + further) as u64;
        if rows == 0 {
            done.last = Some(EventSeq(at));
            break;
        }
        at = one.seq;
    }
    Ok(done)
}

fn audit(connection: &Connection, ask: &Expire, before: Timestamp) -> rusqlite::Result<Expired> {
    let gone = connection
        .prepare_cached(
            "DELETE FROM audit WHERE uid IN (SELECT uid FROM audit WHERE uid < ?1 ORDER BY uid LIMIT ?2)",
        )?
        .execute((Uid::first_of(before).to_bytes(), ask.limit))?;
    Ok(Expired { gone: gone as u64, last: (gone >= ask.limit).then_some(ask.after) })
}

/// Returns some pages, and forgets the times of runs of events that are gone. Whether there is more to return.
pub(crate) fn give_back(work: &mut Work<'_>) -> Result<bool, Error> {
    shrink(work.connection).map_err(from_sqlite)
}

fn shrink(connection: &Connection) -> rusqlite::Result<bool> {
    // The last run stays: it says where the next one begins.
    connection
        .prepare_cached(
            "DELETE FROM period WHERE last_seq IN (SELECT last_seq FROM period \
             WHERE last_seq < (SELECT min(seq) FROM event) AND last_seq < (SELECT max(last_seq) FROM period) \
             ORDER BY last_seq LIMIT ?1)",
        )?
        .execute([ROWS])?;
    let free = || connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
    let before = free()?;
    if before <= SPARE {
        return Ok(false);
    }
    // It returns a page with each step.
    let mut returning = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = returning.query([])?;
    while rows.next()?.is_some() {}
    let after = free()?;
    // A file that was made before such was asked for returns nothing.
    Ok(after > SPARE && after < before)
}

/// How much there is.
pub(crate) fn holdings(connection: &Connection) -> Result<Holdings, Error> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let read = || {
        let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
        let oldest: Option<[u8; 16]> = connection
            .query_row("SELECT uid FROM event ORDER BY seq LIMIT 1", [], |row| row.get(0))
            .optional()?;
        let oldest = oldest.map(|uid| Uid::from_bytes(uid).time());
        Ok(Holdings { bytes: pages.saturating_mul(pragma("page_size")?), oldest })
    };
    read().map_err(from_sqlite)
}
