//! Takes a subscription's ended or held deliveries to another state, some at a time.

use std::collections::HashSet;

use resthooks::model::{DeliveryStatus, EventSeq, Timestamp};
use resthooks::store::coding::delivery_status_code;
use resthooks::store::{Error, Reopen, Reopened, Which};
use rusqlite::{Connection, OptionalExtension as _};

use crate::failure::from_sqlite;
use crate::writer::Work;

/// In one state other than delivered.
const IN_STATE: &str = "SELECT event_seq FROM delivery INDEXED BY delivery_by_subscription_status \
                        WHERE subscription = ?1 AND status = ?2 AND status <> 0 AND event_seq > ?3 AND event_seq <= ?4 \
                        ORDER BY event_seq LIMIT ?5";

/// In any state: for those that were delivered there is no index of their own.
const IN_ANY: &str = "SELECT event_seq FROM delivery INDEXED BY delivery_by_subscription \
                      WHERE subscription = ?1 AND event_seq > ?2 AND event_seq <= ?3 ORDER BY event_seq LIMIT ?4";

const ONE: &str = "SELECT d.status, e.created_at FROM delivery d CROSS JOIN event e ON e.seq = d.event_seq \
                   WHERE d.event_seq = ?1 AND d.subscription = ?2";

const MOVE: &str = "UPDATE delivery SET status = ?3, reason = ?4, next_attempt_at = ?5, updated_at = ?6, plan_group = NULL, \
                    automatic = CASE WHEN ?3 = 1 THEN 0 ELSE automatic END \
                    WHERE event_seq = ?1 AND subscription = ?2";

/// Moves them; what was moved.
pub(crate) fn reopen(work: &mut Work<'_>, ask: &Reopen) -> Result<Reopened, Error> {
    let states: Vec<i64> = ask.from.iter().filter_map(|status| delivery_status_code(*status)).collect();
    let Some(to) = delivery_status_code(ask.to) else { return Ok(Reopened::default()) };
    let (found, last) = look(work.connection, ask, &states).map_err(from_sqlite)?;
    let except: HashSet<i64> = ask.except.iter().map(|seq| seq.0).collect();
    let due = (ask.to == DeliveryStatus::Scheduled).then(|| ask.now.as_millis());
    let held = delivery_status_code(DeliveryStatus::Held);
    let mut done = Reopened { last, ..Reopened::default() };
    for seq in found.into_iter().filter(|seq| !except.contains(seq)) {
        let status = fitting(work.connection, ask, seq).map_err(from_sqlite)?;
        let Some(status) = status.filter(|status| states.contains(status)) else { continue };
        let row = (seq, ask.subscription.0, to, ask.reason.as_deref(), due, ask.now.as_millis());
        work.connection
            .prepare_cached(MOVE)
            .and_then(|mut change| change.execute(row))
            .map_err(from_sqlite)?;
        if Some(status) == held {
            done.held += 1;
        } else {
            done.ended += 1;
        }
    }
    Ok(done)
}

/// Those to look at, the oldest first, and the last one when there may be more.
fn look(
    connection: &Connection,
    ask: &Reopen,
    states: &[i64],
) -> rusqlite::Result<(Vec<i64>, Option<EventSeq>)> {
    let (after, through, limit) = match &ask.which {
        Which::Events(events) => {
            let mut events: Vec<i64> = events.iter().map(|seq| seq.0).collect();
            events.sort_unstable();
            events.dedup();
            return Ok((events, None));
        }
        Which::Range { after, through, limit, .. } => (after.0, through.0, *limit),
    };
    let mut found: Vec<i64> = Vec::new();
    if states.contains(&0) {
        let mut any = connection.prepare_cached(IN_ANY)?;
        let rows = any.query_map((ask.subscription.0, after, through, limit), |row| row.get(0))?;
        found = rows.collect::<Result<_, _>>()?;
    } else {
        let mut state = connection.prepare_cached(IN_STATE)?;
        for code in states {
            let of = (ask.subscription.0, code, after, through, limit);
            for row in state.query_map(of, |row| row.get(0))? {
                found.push(row?);
            }
        }
        found.sort_unstable();
        found.truncate(limit);
    }
    let last = found.last().filter(|_| found.len() >= limit).map(|seq| EventSeq(*seq));
    Ok((found, last))
}

/// A delivery's state, when its event is one of those asked for.
fn fitting(connection: &Connection, ask: &Reopen, seq: i64) -> rusqlite::Result<Option<i64>> {
    let one: Option<(i64, i64)> = connection
        .prepare_cached(ONE)?
        .query_row((seq, ask.subscription.0), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((status, created_at)) = one else { return Ok(None) };
    let created_at = Timestamp::from_millis(created_at);
    let fits = match &ask.which {
        Which::Events(_) => true,
        Which::Range { since, until, .. } => {
            since.is_none_or(|since| created_at >= since) && until.is_none_or(|until| created_at < until)
        }
    };
    Ok(fits.then_some(status))
}
