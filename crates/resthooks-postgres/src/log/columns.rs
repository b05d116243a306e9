//! A batch as the columns that are unnested into rows.

use std::collections::BTreeMap;

use resthooks::model::{DeliveryStatus, Event, EventId, Timestamp};
use resthooks::store::coding::{delivery_status_code, encode_attempt, encode_matched};
use resthooks::store::{Batch, Error, MAX_PLAN_KEY, Record};
use tokio_postgres::types::Type;

use crate::database::Parameter;
use crate::value::{Uuid, readable};

/// The events of a batch.
#[derive(Default)]
pub(super) struct Events<'a> {
    pub(super) seq: Vec<i64>,
    created: Vec<i64>,
    uid: Vec<Uuid>,
    account: Vec<&'a str>,
    name: Vec<&'a str>,
    matched: Vec<Vec<u8>>,
    data: Vec<&'a [u8]>,
    id: Vec<Option<&'a str>>,
    digest: Vec<Option<&'a [u8]>>,
    resource: Vec<Option<&'a [u8]>>,
    order: Vec<Option<&'a [u8]>>,
    debounce: Vec<Option<&'a [u8]>>,
}

impl<'a> Events<'a> {
    /// Their numbers are set apart from them.
    pub(super) fn of(batch: &'a Batch) -> Self {
        let mut columns = Self::default();
        for event in &batch.events {
            columns.push(event);
        }
        columns
    }

    fn push(&mut self, event: &'a Event) {
        self.created.push(event.created_at.as_millis());
        self.uid.push(Uuid(event.uid));
        self.account.push(event.account.as_str());
        self.name.push(event.event.as_str());
        let mut matched = Vec::with_capacity(1 + event.matched.len() * 4);
        encode_matched(&event.matched, &mut matched);
        self.matched.push(matched);
        self.data.push(&event.data);
        self.id.push(own_id(event).map(EventId::as_str));
        self.digest.push(event.digest.as_ref().map(|digest| &digest[..]));
        self.resource.push(event.resource_url.as_ref().map(String::as_bytes));
        self.order.push(event.order_key.as_ref().map(String::as_bytes));
        self.debounce.push(event.debounce_key.as_ref().map(String::as_bytes));
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 12] {
        [
            (&self.seq, Type::INT8_ARRAY),
            (&self.created, Type::INT8_ARRAY),
            (&self.uid, Type::UUID_ARRAY),
            (&self.account, Type::TEXT_ARRAY),
            (&self.name, Type::TEXT_ARRAY),
            (&self.matched, Type::BYTEA_ARRAY),
            (&self.data, Type::BYTEA_ARRAY),
            (&self.id, Type::TEXT_ARRAY),
            (&self.digest, Type::BYTEA_ARRAY),
            (&self.resource, Type::BYTEA_ARRAY),
            (&self.order, Type::BYTEA_ARRAY),
            (&self.debounce, Type::BYTEA_ARRAY),
        ]
    }

    /// A column in which nothing is set is sent empty: the rows get NULL for it all the same.
    pub(super) fn thin(mut self) -> Self {
        for column in [&mut self.digest, &mut self.resource, &mut self.order, &mut self.debounce] {
            if column.iter().all(Option::is_none) {
                column.clear();
            }
        }
        if self.id.iter().all(Option::is_none) {
            self.id.clear();
        }
        self
    }
}

/// The id when a producer gave it. Also such a one as we would have made must be found by it.
fn own_id(event: &Event) -> Option<&EventId> {
    let ours = event.digest.is_none() && event.id.as_generated() == Some(event.uid);
    (!ours).then_some(&event.id)
}

/// Producers' own ids among a batch's events.
#[derive(Default)]
pub(super) struct Ids<'a> {
    account: Vec<&'a str>,
    id: Vec<&'a str>,
    pub(super) seq: Vec<i64>,
    created: Vec<i64>,
    matched: Vec<i32>,
    digest: Vec<Option<&'a [u8]>>,
    /// The events' places in the batch.
    places: Vec<usize>,
}

impl<'a> Ids<'a> {
    pub(super) fn of(batch: &'a Batch) -> Self {
        let mut columns = Self::default();
        for (place, event) in batch.events.iter().enumerate() {
            let Some(id) = own_id(event) else { continue };
            columns.places.push(place);
            columns.account.push(event.account.as_str());
            columns.id.push(id.as_str());
            columns.created.push(event.created_at.as_millis());
            columns.matched.push(i32::try_from(event.matched.len()).unwrap_or(i32::MAX));
            columns.digest.push(event.digest.as_ref().map(|digest| &digest[..]));
        }
        columns
    }

    /// Sets the numbers of the batch's events.
    pub(super) fn number(&mut self, numbers: &[i64]) {
        self.seq = self.places.iter().filter_map(|place| numbers.get(*place).copied()).collect();
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 6] {
        [
            (&self.account, Type::TEXT_ARRAY),
            (&self.id, Type::TEXT_ARRAY),
            (&self.seq, Type::INT8_ARRAY),
            (&self.created, Type::INT8_ARRAY),
            (&self.matched, Type::INT4_ARRAY),
            (&self.digest, Type::BYTEA_ARRAY),
        ]
    }
}

/// Which subscriptions a batch's events matched: the first sequence of each, and how many.
#[derive(Default)]
pub(super) struct Sequences {
    subscription: Vec<i64>,
    first: Vec<i64>,
    count: Vec<i64>,
}

impl Sequences {
    pub(super) fn of(batch: &Batch) -> Self {
        let mut all: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
        for one in batch.events.iter().flat_map(|event| &event.matched) {
            all.entry(one.subscription.0).or_insert((one.sequence, 0)).1 += 1;
        }
        let mut columns = Self::default();
        for (subscription, (first, count)) in all {
            columns.subscription.push(subscription);
            columns.first.push(first.cast_signed());
            columns.count.push(count);
        }
        columns
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 3] {
        [
            (&self.subscription, Type::INT8_ARRAY),
            (&self.first, Type::INT8_ARRAY),
            (&self.count, Type::INT8_ARRAY),
        ]
    }
}

/// Records, the first ones or the later ones.
#[derive(Default)]
pub(super) struct Records<'a> {
    account: Vec<&'a str>,
    subscription: Vec<i64>,
    event: Vec<i64>,
    sequence: Vec<i64>,
    status: Vec<i16>,
    attempts: Vec<i32>,
    automatic: Vec<i32>,
    next: Vec<Option<i64>>,
    reason: Vec<Option<String>>,
    keep: Vec<bool>,
    place: Vec<i32>,
    attempt: Vec<Option<Vec<u8>>>,
    group: Vec<Option<i64>>,
}

impl<'a> Records<'a> {
    /// Those whose delivery has a row already, or those whose has none.
    pub(super) fn of(batch: &'a Batch, has_row: bool) -> Result<Self, Error> {
        let mut columns = Self::default();
        for record in batch.records.iter().filter(|record| record.has_row == has_row) {
            columns.push(record, batch.now)?;
        }
        if columns.next.iter().all(Option::is_none) {
            columns.next.clear();
        }
        if columns.reason.iter().all(Option::is_none) {
            columns.reason.clear();
        }
        Ok(columns)
    }

    fn push(&mut self, record: &'a Record, now: Timestamp) -> Result<(), Error> {
        let status = delivery_status_code(record.status).and_then(|code| i16::try_from(code).ok());
        let status = status.ok_or_else(|| Error::Corrupt("a record of a pending delivery".to_owned()))?;
        // A scheduled row without a time would never be due: better at once than never.
        let scheduled = record.status == DeliveryStatus::Scheduled;
        let next = scheduled.then(|| record.next_attempt_at.unwrap_or(now).as_millis());
        self.account.push(record.account.as_str());
        self.subscription.push(record.key.subscription.0);
        self.event.push(record.key.event.0);
        self.sequence.push(record.sequence.cast_signed());
        self.status.push(status);
        self.attempts.push(record.attempts.cast_signed());
        self.automatic.push(record.automatic.cast_signed());
        self.next.push(next);
        self.reason.push(record.reason.as_deref().map(|reason| readable(reason).into_owned()));
        self.keep.push(record.keep_state);
        self.group.push(record.group.map(u64::cast_signed));
        let number = record.attempt.as_ref().map_or(0, |attempt| attempt.number);
        self.place.push(i32::try_from(number).unwrap_or(i32::MAX - 1));
        self.attempt.push(record.attempt.as_ref().map(|attempt| {
            let mut bytes = Vec::with_capacity(64);
            encode_attempt(attempt, &mut bytes);
            bytes
        }));
        Ok(())
    }

    /// Those of first records.
    pub(super) fn first(&self) -> [Parameter<'_>; 12] {
        let [account, subscription, event, rest @ ..] = self.later();
        let [status, attempts, automatic, next, reason, keep, place, attempt, _] = rest;
        let sequence: Parameter<'_> = (&self.sequence, Type::INT8_ARRAY);
        [
            account,
            subscription,
            event,
            sequence,
            status,
            attempts,
            automatic,
            next,
            reason,
            keep,
            place,
            attempt,
        ]
    }

    /// Those of later records.
    pub(super) fn later(&self) -> [Parameter<'_>; 12] {
        [
            (&self.account, Type::TEXT_ARRAY),
            (&self.subscription, Type::INT8_ARRAY),
            (&self.event, Type::INT8_ARRAY),
            (&self.status, Type::INT2_ARRAY),
            (&self.attempts, Type::INT4_ARRAY),
            (&self.automatic, Type::INT4_ARRAY),
            (&self.next, Type::INT8_ARRAY),
            (&self.reason, Type::TEXT_ARRAY),
            (&self.keep, Type::BOOL_ARRAY),
            (&self.place, Type::INT4_ARRAY),
            (&self.attempt, Type::BYTEA_ARRAY),
            (&self.group, Type::INT8_ARRAY),
        ]
    }
}

/// Planned deliveries, which get their rows with their events.
#[derive(Default)]
pub(super) struct Planned<'a> {
    account: Vec<&'a str>,
    subscription: Vec<i64>,
    seq: Vec<i64>,
    sequence: Vec<i64>,
    key: Vec<&'a [u8]>,
    due: Vec<i64>,
    /// The events' places in the batch.
    places: Vec<usize>,
}

impl<'a> Planned<'a> {
    pub(super) fn of(batch: &'a Batch) -> Result<Self, Error> {
        let mut columns = Self::default();
        for row in &batch.planned {
            let wrong = || Error::Corrupt("a planned delivery of no event".to_owned());
            let event = batch.events.get(row.event).ok_or_else(wrong)?;
            let given = event.matched.get(row.matched).ok_or_else(wrong)?;
            if row.key.len() > MAX_PLAN_KEY {
                return Err(Error::Corrupt("the key of a planned delivery is too long".to_owned()));
            }
            columns.account.push(event.account.as_str());
            columns.subscription.push(given.subscription.0);
            columns.sequence.push(given.sequence.cast_signed());
            columns.key.push(&row.key);
            columns.due.push(row.due.as_millis());
            columns.places.push(row.event);
        }
        Ok(columns)
    }

    /// Sets the numbers of the batch's events.
    pub(super) fn number(&mut self, numbers: &[i64]) {
        self.seq = self.places.iter().filter_map(|place| numbers.get(*place).copied()).collect();
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 6] {
        [
            (&self.account, Type::TEXT_ARRAY),
            (&self.subscription, Type::INT8_ARRAY),
            (&self.seq, Type::INT8_ARRAY),
            (&self.sequence, Type::INT8_ARRAY),
            (&self.key, Type::BYTEA_ARRAY),
            (&self.due, Type::INT8_ARRAY),
        ]
    }
}

/// How subscriptions' deliveries have fared.
#[derive(Default)]
pub(super) struct Healths {
    subscription: Vec<i64>,
    success: Vec<Option<i64>>,
    failure: Vec<Option<i64>>,
    since: Vec<Option<i64>>,
    failures: Vec<i64>,
}

impl Healths {
    pub(super) fn of(batch: &Batch) -> Self {
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        let mut columns = Self::default();
        let mut all: Vec<_> = batch.progress.iter().collect();
        // As the sequences: two nodes that write the same rows meet them in the same order.
        all.sort_unstable_by_key(|(no, _)| *no);
        for (no, progress) in all {
            columns.subscription.push(no.0);
            columns.success.push(millis(progress.health.last_success_at));
            columns.failure.push(millis(progress.health.last_failure_at));
            columns.since.push(millis(progress.health.failing_since));
            columns.failures.push(i64::try_from(progress.health.consecutive_failures).unwrap_or(i64::MAX));
        }
        columns
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 5] {
        [
            (&self.subscription, Type::INT8_ARRAY),
            (&self.success, Type::INT8_ARRAY),
            (&self.failure, Type::INT8_ARRAY),
            (&self.since, Type::INT8_ARRAY),
            (&self.failures, Type::INT8_ARRAY),
        ]
    }
}
