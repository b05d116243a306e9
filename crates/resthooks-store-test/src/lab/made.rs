//! Records and attempts, made by hand.

use resthooks::model::{
    Attempt, DeliveryKey, DeliveryStatus, EventSeq, SequencedEvent, Subscription, Timestamp,
};
use resthooks::store::Record;

use super::at;

/// What a delivery is stored under.
#[must_use]
pub const fn key(event: &SequencedEvent, to: &Subscription) -> DeliveryKey {
    DeliveryKey { event: event.seq, subscription: to.no }
}

/// A first record: no attempt made.
#[must_use]
pub fn record(event: &SequencedEvent, to: &Subscription, status: DeliveryStatus) -> Record {
    Record {
        key: key(event, to),
        account: to.account.clone(),
        sequence: event
            .event
            .matched
            .iter()
            .find(|one| one.subscription == to.no)
            .map_or(1, |one| one.sequence),
        has_row: false,
        status,
        reason: None,
        next_attempt_at: None,
        attempts: 0,
        automatic: 0,
        attempt: None,
        keep_state: false,
        group: None,
    }
}

/// A first record that schedules.
#[must_use]
pub fn scheduled(event: &SequencedEvent, to: &Subscription, due: Timestamp) -> Record {
    Record { next_attempt_at: Some(due), ..record(event, to, DeliveryStatus::Scheduled) }
}

/// A first record of a delivery that was acknowledged at once.
#[must_use]
pub fn delivered(event: &SequencedEvent, to: &Subscription) -> Record {
    Record {
        attempts: 1,
        automatic: 1,
        attempt: Some(attempt(1)),
        ..record(event, to, DeliveryStatus::Delivered)
    }
}

/// The places of these numbers in a list of events, from 1: numbers themselves mean nothing but their order.
#[must_use]
pub fn places(events: &[SequencedEvent], numbers: impl IntoIterator<Item = EventSeq>) -> Vec<usize> {
    let place = |seq| events.iter().position(|event| event.seq == seq).expect("it is one of these") + 1;
    numbers.into_iter().map(place).collect()
}

/// The nth attempt, acknowledged.
#[must_use]
pub fn attempt(number: u32) -> Attempt {
    Attempt {
        number,
        started_at: at(i64::from(number)),
        duration_us: 1_500,
        address: "203.0.113.7:443".parse().ok(),
        status_code: Some(200),
        error: None,
        error_detail: None,
        response_headers: vec![("content-length".to_owned(), "0".to_owned())],
        response_body: String::new(),
        response_truncated: false,
        manual: false,
        retry_after: None,
    }
}
