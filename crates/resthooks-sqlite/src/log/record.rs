//! Writes what became of deliveries, the watermark, and subscriptions' counters.

use resthooks::model::{DeliveryStatus, EventSeq, Health, Timestamp};
use resthooks::store::{Batch, Error, Record};
use rusqlite::{Connection, ErrorCode};

use crate::failure::{corrupt, from_sqlite};
use crate::writer::Work;
use resthooks::store::coding::{delivery_status_code, encode_attempt};

const INSERT: &str = "INSERT INTO delivery (event_seq, subscription, account, status, sequence, attempts, automatic, \
                      next_attempt_at, updated_at, reason, first_attempt, plan_group) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING";

const UPDATE: &str = "UPDATE delivery SET status = ?3, attempts = ?4, next_attempt_at = ?5, updated_at = ?6, \
                      reason = ?7, automatic = ?8, plan_group = ?9 WHERE event_seq = ?1 AND subscription = ?2";

const UPDATE_COUNT: &str =
    "UPDATE delivery SET attempts = ?3, updated_at = ?4 WHERE event_seq = ?1 AND subscription = ?2";

const INSERT_ATTEMPT: &str =
    "INSERT INTO attempt (event_seq, subscription, place, attempt) VALUES (?1, ?2, ?3, ?4)";

/// For an attempt whose number is taken: by hand and by schedule at the same moment. None is lost.
const INSERT_ATTEMPT_LAST: &str = "INSERT INTO attempt (event_seq, subscription, place, attempt) \
     SELECT ?1, ?2, max(place) + 1, ?3 FROM attempt WHERE event_seq = ?1 AND subscription = ?2";

/// Writes the batch's records.
pub(super) fn records(work: &mut Work<'_>, batch: &Batch) -> Result<(), Error> {
    let mut attempt = Vec::new();
    for record in &batch.records {
        let status = delivery_status_code(record.status)
            .ok_or_else(|| Error::Corrupt("a record of a pending delivery".to_owned()))?;
        attempt.clear();
        if let Some(made) = &record.attempt {
            encode_attempt(made, &mut attempt);
        }
        let row = Row { record, status, now: batch.now, attempt: &attempt };
        if record.has_row {
            row.change(work.connection)?;
        } else if !work.memory.has_ended(&record.account, record.key.event) {
            // An account that is gone, and so the event: there is nothing left to write about.
            let Some(account) = work.memory.known_account(work.connection, &record.account)? else {
                continue;
            };
            if !row.insert(work.connection, account).map_err(from_sqlite)? {
                row.change(work.connection)?;
            }
        }
    }
    Ok(())
}

struct Row<'a> {
    record: &'a Record,
    status: i64,
    now: Timestamp,
    /// Empty when none was made.
    attempt: &'a [u8],
}

impl Row<'_> {
    /// Whether there was no row yet.
    fn insert(&self, connection: &Connection, account: i64) -> rusqlite::Result<bool> {
        let record = self.record;
        let mut insert = connection.prepare_cached(INSERT)?;
        insert.raw_bind_parameter(1, record.key.event.0)?;
        insert.raw_bind_parameter(2, record.key.subscription.0)?;
        insert.raw_bind_parameter(3, account)?;
        insert.raw_bind_parameter(4, self.status)?;
        insert.raw_bind_parameter(5, record.sequence)?;
        insert.raw_bind_parameter(6, record.attempts)?;
        insert.raw_bind_parameter(7, record.automatic)?;
        insert.raw_bind_parameter(8, self.next_attempt_at())?;
        insert.raw_bind_parameter(9, self.now.as_millis())?;
        insert.raw_bind_parameter(10, record.reason.as_deref())?;
        insert.raw_bind_parameter(11, (!self.attempt.is_empty()).then_some(self.attempt))?;
        insert.raw_bind_parameter(12, self.group())?;
        Ok(insert.raw_execute()? == 1)
    }

    fn next_attempt_at(&self) -> Option<i64> {
        // A scheduled row without a time would never be due: better at once than never.
        let scheduled = self.record.status == DeliveryStatus::Scheduled;
        scheduled.then(|| self.record.next_attempt_at.unwrap_or(self.now).as_millis())
    }

    fn group(&self) -> Option<u64> {
        self.record.group.filter(|_| self.record.status == DeliveryStatus::Scheduled)
    }

    fn change(&self, connection: &Connection) -> Result<(), Error> {
        let changed =
            if self.record.keep_state { self.update_count(connection) } else { self.update(connection) };
        if changed.map_err(from_sqlite)? && !self.attempt.is_empty() {
            self.insert_attempt(connection).map_err(from_sqlite)?;
        }
        Ok(())
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let record = self.record;
        let changed = connection.prepare_cached(UPDATE)?.execute((
            record.key.event.0,
            record.key.subscription.0,
            self.status,
            record.attempts,
            self.next_attempt_at(),
            self.now.as_millis(),
            record.reason.as_deref(),
            record.automatic,
            self.group(),
        ))?;
        Ok(changed == 1)
    }

    fn update_count(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let record = self.record;
        let changed = connection.prepare_cached(UPDATE_COUNT)?.execute((
            record.key.event.0,
            record.key.subscription.0,
            record.attempts,
            self.now.as_millis(),
        ))?;
        Ok(changed == 1)
    }

    fn insert_attempt(&self, connection: &Connection) -> rusqlite::Result<()> {
        let (event, subscription) = (self.record.key.event.0, self.record.key.subscription.0);
        let place = self.record.attempt.as_ref().map_or(0, |attempt| attempt.number);
        let inserted =
            connection.prepare_cached(INSERT_ATTEMPT)?.execute((event, subscription, place, self.attempt));
        match inserted {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                connection.prepare_cached(INSERT_ATTEMPT_LAST)?.execute((
                    event,
                    subscription,
                    self.attempt,
                ))?;
            }
            other => drop(other?),
        }
        Ok(())
    }
}

/// Writes subscriptions' counters. One whose subscription is gone has no row any more.
pub(super) fn progress(connection: &Connection, batch: &Batch) -> Result<(), Error> {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    for (no, progress) in &batch.progress {
        let Health { last_success_at, last_failure_at, failing_since, consecutive_failures } =
            progress.health;
        connection
            .prepare_cached(
                "UPDATE progress SET sequence = ?2, last_success_at = ?3, last_failure_at = ?4, failing_since = ?5, \
                 consecutive_failures = ?6 WHERE subscription = ?1",
            )
            .and_then(|mut update| {
                update.execute((
                    no.0,
                    progress.sequence,
                    millis(last_success_at),
                    millis(last_failure_at),
                    millis(failing_since),
                    consecutive_failures,
                ))
            })
            .map_err(from_sqlite)?;
    }
    Ok(())
}

/// Raises the watermark.
pub(super) fn watermark(connection: &Connection, watermark: EventSeq) -> Result<(), Error> {
    let raised = connection
        .prepare_cached("UPDATE position SET watermark = max(watermark, ?1)")
        .and_then(|mut update| update.execute([watermark.0]))
        .map_err(from_sqlite)?;
    if raised == 1 { Ok(()) } else { Err(corrupt("the watermark")) }
}
