//! Moves a subscription's waiting deliveries from one state to another, some at a time.

use std::collections::HashSet;

use resthooks::model::{DeliveryStatus, EventSeq};
use resthooks::store::{Error, Settle};
use rusqlite::Connection;

use crate::failure::from_sqlite;
use crate::writer::Work;
use resthooks::store::coding::delivery_status_code;

pub(crate) const WAITING: &str = "SELECT event_seq FROM delivery INDEXED BY delivery_by_subscription_status \
                                  WHERE subscription = ?1 AND status = ?2 AND status <> 0 ORDER BY event_seq";

const MOVE: &str = "UPDATE delivery SET status = ?3, reason = ?4, next_attempt_at = ?5, updated_at = ?6, plan_group = NULL \
                    WHERE event_seq = ?1 AND subscription = ?2";

/// Moves up to `limit`, the oldest first; how many were moved.
pub(crate) fn settle(work: &mut Work<'_>, ask: &Settle) -> Result<usize, Error> {
    let (Some(from), Some(to)) = (delivery_status_code(ask.from), delivery_status_code(ask.to)) else {
        return Ok(0);
    };
    let chosen = choose(work.connection, ask, from).map_err(from_sqlite)?;
    let due = (ask.to == DeliveryStatus::Scheduled).then(|| ask.now.as_millis());
    let mut change = work.connection.prepare_cached(MOVE).map_err(from_sqlite)?;
    for seq in &chosen {
        change
            .execute((seq, ask.subscription.0, to, ask.reason.as_deref(), due, ask.now.as_millis()))
            .map_err(from_sqlite)?;
    }
    Ok(chosen.len())
}

/// Read before anything is changed: what is moved leaves the index that is being read.
fn choose(connection: &Connection, ask: &Settle, from: i64) -> rusqlite::Result<Vec<i64>> {
    let except: HashSet<EventSeq> = ask.except.iter().copied().collect();
    let mut waiting = connection.prepare_cached(WAITING)?;
    waiting
        .query_map((ask.subscription.0, from), |row| row.get(0))?
        .filter(|seq| !seq.as_ref().is_ok_and(|seq| except.contains(&EventSeq(*seq))))
        .take(ask.limit)
        .collect()
}
