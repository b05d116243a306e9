//! Recording: what a delivery's row and its attempts become.

use resthooks::model::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, ErrorClass, SequencedEvent, Subscription,
};
use resthooks::store::Record;

use crate::lab::{Lab, at, attempt, delivered, key, record, scheduled};

fn failed(number: u32) -> Attempt {
    Attempt {
        status_code: None,
        error: Some(ErrorClass::Timeout),
        error_detail: Some("no answer within 15s".to_owned()),
        response_headers: Vec::new(),
        ..attempt(number)
    }
}

async fn read(lab: &Lab, event: &SequencedEvent, to: &Subscription) -> Option<Delivery> {
    let mut found = lab.store().deliveries(&[key(event, to)]).await.unwrap();
    assert!(found.len() <= 1);
    found.pop()
}

async fn attempts(lab: &Lab, event: &SequencedEvent, to: &Subscription) -> Vec<Attempt> {
    lab.store().attempts(key(event, to)).await.unwrap()
}

/// Each status with all that belongs to it, as a first record.
pub async fn a_first_record_makes_a_row(mut lab: Lab) {
    let to = lab.subscribe("a").await;
    let mut written = Vec::new();
    for status in DeliveryStatus::ALL.into_iter().filter(|status| *status != DeliveryStatus::Pending) {
        let event = lab.emit("a", &[&to]).await;
        let record = Record {
            sequence: 70_000,
            reason: (status != DeliveryStatus::Scheduled).then(|| format!("because {}", status.as_str())),
            next_attempt_at: (status == DeliveryStatus::Scheduled).then(|| at(9)),
            attempts: 3,
            automatic: 2,
            ..record(&event, &to, status)
        };
        lab.write(vec![record.clone()], at(5)).await;
        written.push((event, record));
    }
    lab.reopen().await;
    for (event, record) in written {
        let expected = Delivery {
            key: record.key,
            id: DeliveryId { event: event.event.uid, subscription: to.id },
            account: to.account.clone(),
            event: event.event.id.clone(),
            event_type: event.event.event.clone(),
            sequence: 70_000,
            status: record.status,
            reason: record.reason,
            attempts: 3,
            automatic: 2,
            next_attempt_at: record.next_attempt_at,
            created_at: event.event.created_at,
            updated_at: at(5),
        };
        assert_eq!(read(&lab, &event, &to).await, Some(expected));
        assert!(attempts(&lab, &event, &to).await.is_empty());
    }
}

/// From scheduled by a failure to delivered: the row follows, and every attempt is kept in order.
pub async fn a_later_record_changes_the_row(mut lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = lab.emit("a", &[&to]).await;
    let first =
        Record { attempts: 1, automatic: 1, attempt: Some(failed(1)), ..scheduled(&event, &to, at(100)) };
    let second = Record {
        has_row: true,
        attempts: 2,
        automatic: 2,
        attempt: Some(failed(2)),
        ..scheduled(&event, &to, at(200))
    };
    let third = Record {
        has_row: true,
        attempts: 3,
        automatic: 3,
        attempt: Some(attempt(3)),
        ..delivered(&event, &to)
    };
    for (n, record) in [first, second, third].into_iter().enumerate() {
        lab.write(vec![record.clone()], at(i64::try_from(n).unwrap())).await;
        lab.reopen().await;
        let row = read(&lab, &event, &to).await.unwrap();
        assert_eq!(
            (row.status, row.attempts, row.automatic),
            (record.status, record.attempts, record.automatic)
        );
        assert_eq!(
            (row.next_attempt_at, row.updated_at),
            (record.next_attempt_at, at(i64::try_from(n).unwrap()))
        );
    }
    assert_eq!(attempts(&lab, &event, &to).await, [failed(1), failed(2), attempt(3)]);
}

/// A row that was made without an attempt gets its first one later.
pub async fn attempts_may_begin_after_the_row(lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = lab.schedule(&to, at(1)).await;
    let records = [1, 2, 3].map(|n| Record {
        has_row: true,
        attempts: n,
        attempt: Some(attempt(n)),
        ..scheduled(&event, &to, at(50))
    });
    for record in records {
        lab.write(vec![record], at(2)).await;
    }
    assert_eq!(attempts(&lab, &event, &to).await, [attempt(1), attempt(2), attempt(3)]);
}

/// An attempt with everything in it, as large as the engine lets it get.
pub async fn an_attempt_comes_back_as_it_was(mut lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = lab.emit("a", &[&to]).await;
    let large = Attempt {
        duration_us: u64::from(u32::MAX) * 10,
        address: "[2001:db8::7]:8443".parse().ok(),
        status_code: Some(503),
        response_headers: (0..100).map(|n| (format!("x-{n}"), "é".repeat(100))).collect(),
        response_body: "\u{0}\u{fffd}".repeat(4_096),
        response_truncated: true,
        manual: true,
        ..attempt(1)
    };
    let second = Attempt { number: 2, ..large.clone() };
    let write = |made: &Attempt, has_row| Record {
        has_row,
        attempts: made.number,
        attempt: Some(made.clone()),
        ..record(&event, &to, DeliveryStatus::Dead)
    };
    lab.write(vec![write(&large, false)], at(1)).await;
    lab.write(vec![write(&second, true)], at(2)).await;
    lab.reopen().await;
    assert_eq!(attempts(&lab, &event, &to).await, [large, second]);
}

/// After an odd crash a delivery may have a row that its owner does not know of: that is changed, and nothing that
/// was written beside it suffers.
pub async fn a_first_record_of_a_known_delivery_changes_it(mut lab: Lab) {
    let to = lab.subscribe("a").await;
    let [known, new] = [lab.schedule(&to, at(1)).await, lab.emit("a", &[&to]).await];
    lab.write(vec![delivered(&known, &to), delivered(&new, &to)], at(3)).await;
    for event in [&known, &new] {
        assert_eq!(read(&lab, event, &to).await.unwrap().status, DeliveryStatus::Delivered);
        assert_eq!(attempts(&lab, event, &to).await, [attempt(1)]);
    }
    assert!(lab.backlog().await.is_empty());
}

/// A record that speaks of a row that is not there any more leaves nothing behind.
pub async fn a_later_record_of_a_row_that_is_gone_is_dropped(lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = lab.emit("a", &[&to]).await;
    lab.write(vec![Record { has_row: true, ..delivered(&event, &to) }], at(1)).await;
    assert_eq!(read(&lab, &event, &to).await, None);
    assert!(attempts(&lab, &event, &to).await.is_empty());
}

/// A manual attempt that failed is counted and kept; the rest of the row stays as it is.
pub async fn a_failed_manual_attempt_keeps_the_state(mut lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = lab.emit("a", &[&to]).await;
    let dead = Record {
        reason: Some("410".to_owned()),
        attempts: 1,
        automatic: 1,
        attempt: Some(failed(1)),
        ..record(&event, &to, DeliveryStatus::Dead)
    };
    lab.write(vec![dead], at(1)).await;
    let by_hand = Attempt { manual: true, ..failed(2) };
    let kept = Record {
        has_row: true,
        keep_state: true,
        attempts: 2,
        automatic: 1,
        attempt: Some(by_hand.clone()),
        ..scheduled(&event, &to, at(99))
    };
    lab.write(vec![kept], at(2)).await;
    let row = read(&lab, &event, &to).await.unwrap();
    assert_eq!(
        (row.status, row.reason.as_deref(), row.next_attempt_at),
        (DeliveryStatus::Dead, Some("410"), None)
    );
    assert_eq!((row.attempts, row.automatic), (2, 1));
    assert_eq!(attempts(&lab, &event, &to).await, [failed(1), by_hand]);
    assert!(lab.backlog().await.is_empty());
}

/// The same without a row: then there is no state to keep, and the record's own is written.
pub async fn a_failed_manual_attempt_without_a_row_makes_one(lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = lab.emit("a", &[&to]).await;
    let first =
        Record { keep_state: true, attempts: 1, attempt: Some(failed(1)), ..scheduled(&event, &to, at(9)) };
    lab.write(vec![first], at(2)).await;
    let row = read(&lab, &event, &to).await.unwrap();
    assert_eq!((row.status, row.next_attempt_at, row.attempts), (DeliveryStatus::Scheduled, Some(at(9)), 1));
}

/// By hand and by schedule at the same moment: two attempts of one number are both kept.
pub async fn attempts_of_one_number_are_both_kept(lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = lab.schedule(&to, at(1)).await;
    for made in [failed(1), attempt(1), failed(2), attempt(2)] {
        let record = Record {
            has_row: true,
            attempts: made.number,
            attempt: Some(made),
            ..scheduled(&event, &to, at(9))
        };
        lab.write(vec![record], at(2)).await;
    }
    let mut kept = attempts(&lab, &event, &to).await;
    kept.sort_by_key(|attempt| (attempt.number, attempt.error.is_none()));
    assert_eq!(kept, [failed(1), attempt(1), failed(2), attempt(2)]);
}
