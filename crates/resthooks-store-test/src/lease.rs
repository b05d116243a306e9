//! Taking what is due.

use resthooks::model::{SequencedEvent, Subscription, Timestamp};
use resthooks::store::{LeaseDue, Leased, Record};

use crate::lab::{Lab, at, delivered, scheduled};

async fn due(
    lab: &Lab,
    of: &Subscription,
    now: Timestamp,
    limit: usize,
    except: &[&SequencedEvent],
) -> Leased {
    let except = except.iter().map(|event| event.seq).collect();
    lab.store().lease_due(LeaseDue { subscription: of.no, now, limit, except }).await.unwrap()
}

fn numbers(leased: &Leased) -> Vec<i64> {
    leased.deliveries.iter().map(|delivery| delivery.event.seq.0).collect()
}

/// Whoever is due longest goes first, up to and with the moment asked for.
pub async fn the_longest_due_go_first(mut lab: Lab) {
    let to = lab.subscribe("a").await;
    for millis in [300, 100, 400, 200] {
        lab.schedule(&to, at(millis)).await;
    }
    lab.reopen().await;
    let leased = due(&lab, &to, at(300), 10, &[]).await;
    assert_eq!(numbers(&leased), [2, 4, 1]);
    assert_eq!(leased.next_due, Some(at(400)));
}

/// With its event, its place in the order and its counts.
pub async fn what_is_leased_can_be_sent(lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = lab.emit("a", &[&to]).await;
    lab.write(
        vec![Record { sequence: 77, attempts: 5, automatic: 4, ..scheduled(&event, &to, at(1)) }],
        at(0),
    )
    .await;
    let mut leased = due(&lab, &to, at(1), 10, &[]).await;
    let one = leased.deliveries.pop().unwrap();
    assert_eq!(one.event, event);
    assert_eq!((one.sequence, one.attempts, one.automatic), (77, 5, 4));
    assert_eq!(leased.next_due, None);
}

/// No more than asked for; then the next one is due already.
pub async fn no_more_are_leased_than_asked_for(lab: Lab) {
    let to = lab.subscribe("a").await;
    for millis in 1..=5 {
        lab.schedule(&to, at(millis)).await;
    }
    let leased = due(&lab, &to, at(10), 2, &[]).await;
    assert_eq!((numbers(&leased), leased.next_due), (vec![1, 2], Some(at(3))));
    let all = due(&lab, &to, at(10), 5, &[]).await;
    assert_eq!((all.deliveries.len(), all.next_due), (5, None));
}

/// What the caller has in hand is neither given again nor said to be due.
pub async fn what_is_in_hand_is_left_out(lab: Lab) {
    let to = lab.subscribe("a").await;
    let mut events = Vec::new();
    for millis in 1..=4 {
        events.push(lab.schedule(&to, at(millis)).await);
    }
    let leased = due(&lab, &to, at(10), 1, &[&events[0], &events[2]]).await;
    assert_eq!((numbers(&leased), leased.next_due), (vec![2], Some(at(4))));
    let none = due(&lab, &to, at(10), 9, &events.iter().collect::<Vec<_>>()).await;
    assert!(none.deliveries.is_empty() && none.next_due.is_none());
}

/// Nothing is due yet: only when is said.
pub async fn what_is_not_due_waits(lab: Lab) {
    let to = lab.subscribe("a").await;
    let event = lab.schedule(&to, at(100)).await;
    let early = due(&lab, &to, at(99), 10, &[]).await;
    assert!(early.deliveries.is_empty());
    assert_eq!(early.next_due, Some(at(100)));
    lab.write(vec![Record { has_row: true, ..scheduled(&event, &to, at(50)) }], at(1)).await;
    assert_eq!(numbers(&due(&lab, &to, at(99), 10, &[]).await), [event.seq.0]);
}

/// Another subscription's, and what is held, delivered or was never recorded, is not given.
pub async fn only_scheduled_ones_of_the_subscription_are_leased(lab: Lab) {
    let [to, other] = [lab.subscribe("a").await, lab.subscribe("a").await];
    lab.schedule(&other, at(1)).await;
    lab.emit("a", &[&to]).await;
    let done = lab.schedule(&to, at(1)).await;
    lab.write(vec![Record { has_row: true, ..delivered(&done, &to) }], at(2)).await;
    let leased = due(&lab, &to, at(10), 10, &[]).await;
    assert!(leased.deliveries.is_empty() && leased.next_due.is_none());
    assert_eq!(numbers(&due(&lab, &other, at(10), 10, &[]).await), [1]);
}
