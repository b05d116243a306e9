//! What a restart finds.

use resthooks::model::{DeliveryStatus, EventSeq, SequencedEvent, Subscription};
use resthooks::store::{Backlog, Batch, Record, Unrecorded};

use crate::lab::{Lab, at, delivered, places, record, scheduled};

/// Events above the watermark with what is missing of each: all, some or nothing.
pub async fn what_has_no_row_is_found(mut lab: Lab) {
    let [one, two] = [lab.subscribe("a").await, lab.subscribe("a").await];
    let events = lab
        .append(vec![
            lab.event("a", &[&one]),
            lab.event("a", &[&one, &two]),
            lab.event("a", &[&two, &one]),
            lab.event("b", &[]),
            lab.event("a", &[&one, &two]),
        ])
        .await;
    let records = vec![
        delivered(&events[1], &two),
        delivered(&events[2], &one),
        record(&events[2], &two, DeliveryStatus::Held),
    ];
    let batch = Batch { records, watermark: Some(events[0].seq), now: at(1), ..Batch::default() };
    lab.commit(batch).await.unwrap();
    lab.reopen().await;
    let to = |event: &SequencedEvent, to: &Subscription| {
        *event.event.matched.iter().find(|one| one.subscription == to.no).unwrap()
    };
    let missing =
        [vec![to(&events[1], &one)], vec![], vec![], vec![to(&events[4], &one), to(&events[4], &two)]];
    let expected: Vec<Unrecorded> = events[1..]
        .iter()
        .zip(missing)
        .map(|(event, missing)| Unrecorded { event: event.clone(), missing })
        .collect();
    assert_eq!(lab.unrecorded().await, expected);
}

/// Only within the bounds, and no more than asked for.
pub async fn what_has_no_row_is_found_in_parts(lab: Lab) {
    let to = lab.subscribe("a").await;
    let events = lab.append((0..10).map(|_| lab.event("a", &[&to])).collect()).await;
    let seq = |place: usize| if place == 0 { EventSeq(0) } else { events[place - 1].seq };
    let end = EventSeq(i64::MAX);
    for (after, through, limit, expected) in [
        (seq(0), seq(10), 3, vec![1, 2, 3]),
        (seq(3), seq(5), 10, vec![4, 5]),
        (seq(8), end, 10, vec![9, 10]),
        (seq(10), seq(10), 10, vec![]),
        (seq(10), end, 10, vec![]),
    ] {
        let found = lab.store().unrecorded(lab.node(), after, through, limit).await.unwrap();
        assert_eq!(places(&events, found.iter().map(|one| one.event.seq)), expected);
    }
}

/// How much waits for each subscription, and when the first of it is due.
pub async fn the_backlog_is_counted(mut lab: Lab) {
    let subscriptions = [lab.subscribe("a").await, lab.subscribe("a").await, lab.subscribe("b").await];
    let [busy, held, idle] = &subscriptions;
    for millis in [300, 100, 200] {
        lab.schedule(busy, at(millis)).await;
    }
    for status in
        [DeliveryStatus::Held, DeliveryStatus::Held, DeliveryStatus::Dead, DeliveryStatus::Delivered]
    {
        for to in [busy, held] {
            let event = lab.emit("a", &[to]).await;
            lab.write(vec![record(&event, to, status)], at(1)).await;
        }
    }
    let event = lab.emit("b", &[idle]).await;
    lab.write(vec![scheduled(&event, idle, at(5))], at(1)).await;
    lab.write(vec![Record { has_row: true, ..delivered(&event, idle) }], at(6)).await;
    let backlog = lab.backlog().await;
    let expected = [
        Backlog { subscription: busy.no, next_due: Some(at(100)), scheduled: 3, held: 2 },
        Backlog { subscription: held.no, next_due: None, scheduled: 0, held: 2 },
    ];
    assert_eq!(backlog, expected);
    assert_eq!(lab.backlog().await, expected, "and again");
}
