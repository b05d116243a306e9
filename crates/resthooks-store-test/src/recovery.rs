//! What a restart finds.

use std::sync::Arc;

use resthooks::model::{DeliveryStatus, EventSeq, Match, SubscriptionNo};
use resthooks::store::{Backlog, Batch, Record, Unrecorded};

use crate::lab::{Lab, at, delivered, record, scheduled};

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
    let batch = Batch { records, watermark: Some(EventSeq(1)), now: at(1), ..Batch::default() };
    lab.store().commit(Arc::new(batch)).await.unwrap();
    lab.reopen().await;
    let to = |no: SubscriptionNo| Match { subscription: no, sequence: 1 };
    let expected: Vec<Unrecorded> =
        [(1, vec![to(one.no)]), (2, vec![]), (3, vec![]), (4, vec![to(one.no), to(two.no)])]
            .into_iter()
            .map(|(n, missing)| Unrecorded { event: events[n].clone(), missing })
            .collect();
    assert_eq!(lab.store().unrecorded(EventSeq(1), EventSeq(5), 10).await.unwrap(), expected);
}

/// Only within the bounds, and no more than asked for.
pub async fn what_has_no_row_is_found_in_parts(lab: Lab) {
    let to = lab.subscribe("a").await;
    lab.append((0..10).map(|_| lab.event("a", &[&to])).collect()).await;
    for (after, through, limit, expected) in
        [(0, 10, 3, vec![1, 2, 3]), (3, 5, 10, vec![4, 5]), (8, 100, 10, vec![9, 10]), (10, 10, 10, vec![])]
    {
        let found = lab.store().unrecorded(EventSeq(after), EventSeq(through), limit).await.unwrap();
        assert_eq!(found.iter().map(|one| one.event.seq.0).collect::<Vec<_>>(), expected);
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
    lab.reopen().await;
    let mut backlog = lab.store().backlog().await.unwrap();
    backlog.sort_by_key(|one| one.subscription);
    let expected = [
        Backlog { subscription: busy.no, next_due: Some(at(100)), scheduled: 3, held: 2 },
        Backlog { subscription: held.no, next_due: None, scheduled: 0, held: 2 },
    ];
    assert_eq!(backlog, expected);
}
