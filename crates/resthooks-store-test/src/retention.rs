//! Deleting what is old.

use std::sync::Arc;

use resthooks::model::{
    Actor, AuditAction, AuditId, DeliveryKey, DeliveryStatus, EventId, EventSeq, SequencedEvent,
    Subscription, Timestamp, Uid,
};
use resthooks::store::{AuditFilter, Batch, EventFilter, Expire, Expiring, Record};

use crate::lab::{Lab, account, at, attempt, first, record};

const DAY: i64 = 86_400_000;

/// Accepted on this day, with a producer's id.
async fn accept(lab: &Lab, day: i64, to: &[&Subscription]) -> SequencedEvent {
    let mut event = lab.event("a", to);
    let n = lab.uid();
    event.uid = Uid::new(at(day * DAY), u128::from_be_bytes(n.to_bytes()));
    event.created_at = at(day * DAY);
    event.id = format!("own-{n:?}").replace(['(', ')', ' '], "").parse::<EventId>().expect("an id");
    event.digest = Some([1; 32]);
    let events = vec![event];
    let batch = Batch {
        events: events.iter().cloned().map(Arc::new).collect(),
        now: at(day * DAY),
        ..Batch::default()
    };
    let committed = lab.commit(batch).await.expect("it is appended");
    lab.appended(events, &committed).pop().expect("one")
}

/// Records this, and that all up to here have rows.
async fn ends(lab: &Lab, event: &SequencedEvent, to: &[&Subscription], status: DeliveryStatus) {
    let records =
        to.iter().map(|to| Record { attempt: Some(attempt(1)), attempts: 1, ..record(event, to, status) });
    let batch =
        Batch { records: records.collect(), watermark: Some(event.seq), now: at(0), ..Batch::default() };
    lab.commit(batch).await.expect("it is recorded");
}

/// All that is old goes, in as many steps as it takes.
async fn expire(lab: &Lab, what: Expiring, limit: usize) -> u64 {
    let (mut after, mut gone) = (EventSeq(0), 0);
    for _ in 0..1_000 {
        let step = lab.store().expire(&Expire { what, after, limit }).await.expect("it takes a step");
        gone += step.gone;
        match step.last {
            Some(last) => after = last,
            None => {
                while lab.store().give_back().await.expect("it takes a step") {}
                return gone;
            }
        }
    }
    panic!("it has no end");
}

fn older_than(day: i64) -> Expiring {
    Expiring::Events { before: at(day * DAY), missed_before: at(day * DAY) }
}

async fn left(lab: &Lab) -> Vec<EventSeq> {
    let mut events: Vec<EventSeq> = lab
        .store()
        .list_events(&EventFilter::default(), first(250))
        .await
        .unwrap()
        .iter()
        .map(|event| event.seq)
        .collect();
    events.reverse();
    events
}

async fn is_known(lab: &Lab, event: &SequencedEvent) -> bool {
    let ids = [(account("a"), event.event.id.clone())];
    lab.store().find_ids(&ids).await.unwrap()[0].is_some()
}

/// With their deliveries, attempts and ids; the younger ones stay, and new ones are numbered above all.
pub async fn old_events_go_with_all_that_is_theirs(mut lab: Lab) {
    let to = [lab.subscribe("a").await, lab.subscribe("a").await];
    let to: Vec<&Subscription> = to.iter().collect();
    let mut events = Vec::new();
    for day in [0, 0, 0, 1, 2, 3, 3] {
        let event = accept(&lab, day, &to).await;
        ends(&lab, &event, &to, DeliveryStatus::Delivered).await;
        events.push(event);
    }
    assert_eq!(expire(&lab, older_than(3), 2).await, 5);
    assert_eq!(expire(&lab, older_than(3), 2).await, 0);
    lab.reopen().await;
    assert_eq!(left(&lab).await, [events[5].seq, events[6].seq]);
    for (place, event) in events.iter().enumerate() {
        assert_eq!(is_known(&lab, event).await, place >= 5);
        let key = DeliveryKey { event: event.seq, subscription: to[0].no };
        assert_eq!(lab.store().deliveries(&[key]).await.unwrap().len(), usize::from(place >= 5));
        assert_eq!(lab.store().attempts(key).await.unwrap().len(), usize::from(place >= 5));
    }
    assert_eq!(expire(&lab, older_than(9), 200).await, 2);
    assert_eq!(left(&lab).await, []);
    lab.reopen().await;
    let next = accept(&lab, 12, &to).await;
    assert!(next.seq > events[6].seq, "numbers are not given again");
    assert_eq!(lab.store().holdings().await.unwrap().oldest, Some(at(12 * DAY)));
}

/// However old it is; and what was missed for longer than what was not.
pub async fn what_waits_stays(lab: Lab) {
    use DeliveryStatus::{Cancelled, Dead, Delivered, Held, Scheduled};
    let to = [lab.subscribe("a").await, lab.subscribe("a").await];
    let mut events = Vec::new();
    for status in [Scheduled, Delivered, Held, Dead, Cancelled, Dead] {
        let event = accept(&lab, 0, &[&to[0], &to[1]]).await;
        ends(&lab, &event, &[&to[0]], Delivered).await;
        ends(&lab, &event, &[&to[1]], status).await;
        events.push(event);
    }
    let later_missed = Expiring::Events { before: at(9 * DAY), missed_before: at(-DAY) };
    assert_eq!(expire(&lab, later_missed, 200).await, 2);
    let kept = [0, 2, 3, 5].map(|place: usize| events[place].seq);
    assert_eq!(left(&lab).await, kept);
    let key = DeliveryKey { event: events[3].seq, subscription: to[0].no };
    assert_eq!(lab.store().deliveries(&[key]).await.unwrap().len(), 1, "what the others got is told as well");
    assert_eq!(expire(&lab, older_than(9), 1).await, 2);
    assert_eq!(left(&lab).await, [events[0].seq, events[2].seq]);
    assert_eq!(expire(&lab, Expiring::Oldest { before: at(9 * DAY) }, 200).await, 0);
    for place in [0, 2] {
        let batch = Batch {
            records: vec![Record { has_row: true, ..record(&events[place], &to[1], Delivered) }],
            now: at(0),
            ..Batch::default()
        };
        lab.commit(batch).await.unwrap();
    }
    assert_eq!(expire(&lab, older_than(9), 200).await, 2);
}

/// What is not recorded yet would be lost.
pub async fn what_has_no_rows_yet_stays(lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = accept(&lab, 0, &[&to]).await;
    assert_eq!(expire(&lab, older_than(9), 200).await, 0);
    ends(&lab, &event, &[&to], DeliveryStatus::Delivered).await;
    assert_eq!(expire(&lab, older_than(9), 200).await, 1);
}

/// A record that comes after its event has gone holds nothing up.
pub async fn a_late_record_of_what_is_gone_is_harmless(lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = accept(&lab, 0, &[&to]).await;
    ends(&lab, &event, &[&to], DeliveryStatus::Delivered).await;
    assert_eq!(expire(&lab, older_than(9), 200).await, 1);
    let late = Record { attempt: Some(attempt(2)), ..record(&event, &to, DeliveryStatus::Scheduled) };
    for has_row in [true, false] {
        lab.write(vec![Record { has_row, ..late.clone() }], at(9 * DAY)).await;
    }
    assert_eq!(left(&lab).await, []);
    assert_eq!(expire(&lab, older_than(9), 200).await, 0);
    let next = accept(&lab, 9, &[&to]).await;
    assert_eq!(left(&lab).await, [next.seq]);
}

/// Attempts may go first; those of what waits stay.
pub async fn attempts_go_before_their_deliveries(lab: Lab) {
    use DeliveryStatus::{Dead, Scheduled};
    let to = lab.subscribe("a").await;
    let mut keys = Vec::new();
    for (day, status) in [(0, Dead), (0, Scheduled), (2, Dead)] {
        let event = accept(&lab, day, &[&to]).await;
        ends(&lab, &event, &[&to], status).await;
        let again =
            Record { has_row: true, attempt: Some(attempt(2)), attempts: 2, ..record(&event, &to, status) };
        lab.write(vec![again], at(0)).await;
        keys.push(DeliveryKey { event: event.seq, subscription: to.no });
    }
    let what = Expiring::Attempts { before: at(2 * DAY) };
    assert!(expire(&lab, what, 1).await > 0);
    assert_eq!(expire(&lab, what, 200).await, 0);
    for (key, attempts) in keys.iter().zip([0, 2, 2]) {
        assert_eq!(lab.store().attempts(*key).await.unwrap().len(), attempts);
        assert_eq!(lab.store().deliveries(&[*key]).await.unwrap()[0].attempts, 2);
    }
}

/// The trail has an age of its own.
pub async fn old_entries_of_the_trail_go(lab: Lab) {
    let ids = [0, 1, 2].map(|day| AuditId(Uid::new(at(day * DAY), 1)));
    for (n, id) in ids.into_iter().enumerate() {
        let mut entry = lab.entry(AuditAction::SubscriptionCreated, "x");
        (entry.id, entry.at, entry.actor) = (id, id.0.time(), Actor::application());
        let new = lab.subscription(&format!("a{n}"));
        lab.store().insert_subscription(&new, Some(&entry)).await.unwrap();
    }
    assert_eq!(expire(&lab, Expiring::Audit { before: at(2 * DAY) }, 1).await, 2);
    let kept = lab.store().list_audit(&AuditFilter::default(), first(9)).await.unwrap();
    assert_eq!(kept.iter().map(|entry| entry.id).collect::<Vec<_>>(), [ids[2]]);
}

/// Many events and large ones: it has an end, and what was used is free again.
pub async fn space_is_told(lab: Lab) {
    let to = lab.subscribe("a").await;
    let before = lab.store().holdings().await.unwrap();
    assert_eq!(before.oldest, None);
    let mut events: Vec<_> = (0..40).map(|_| lab.event("a", &[&to])).collect();
    for event in &mut events {
        event.data = format!("\"{}\"", "x".repeat(200_000)).into();
    }
    let now: Timestamp = at(0);
    let batch = Batch { events: events.iter().cloned().map(Arc::new).collect(), now, ..Batch::default() };
    let committed = lab.commit(batch).await.unwrap();
    let events = lab.appended(events, &committed);
    for event in &events {
        ends(&lab, event, &[&to], DeliveryStatus::Delivered).await;
    }
    let full = lab.store().holdings().await.unwrap();
    assert!(full.bytes > before.bytes + 10_000, "{full:?}");
    assert_eq!(full.oldest, Some(at(0)));
    assert_eq!(expire(&lab, older_than(2), 200).await, 40);
    let after = lab.store().holdings().await.unwrap();
    assert!(after.bytes < full.bytes, "{after:?}");
}
