//! Taking what is due.

use resthooks::model::{SequencedEvent, Subscription, Timestamp};
use resthooks::store::{Claimed, LeaseDue, Leased, Record};

use crate::lab::{Lab, at, delivered, key, places, scheduled};

async fn due(
    lab: &Lab,
    of: &Subscription,
    now: Timestamp,
    limit: usize,
    except: &[&SequencedEvent],
) -> Leased {
    let except = except.iter().map(|event| event.seq).collect();
    lab.store()
        .lease_due(LeaseDue { node: lab.node(), subscription: of.no, now, limit, except })
        .await
        .unwrap()
}

/// What was leased, as places in this list.
fn leased(events: &[SequencedEvent], leased: &Leased) -> Vec<usize> {
    places(events, leased.deliveries.iter().map(|delivery| delivery.event.seq))
}

/// One event after the other for this subscription, due at these times.
async fn schedule(lab: &Lab, to: &Subscription, due: impl IntoIterator<Item = i64>) -> Vec<SequencedEvent> {
    let mut events = Vec::new();
    for millis in due {
        events.push(lab.schedule(to, at(millis)).await);
    }
    events
}

/// Whoever is due longest goes first, up to and with the moment asked for.
pub async fn the_longest_due_go_first(mut lab: Lab) {
    let to = lab.subscribe("a").await;
    let events = schedule(&lab, &to, [300, 100, 400, 200]).await;
    lab.reopen().await;
    let taken = due(&lab, &to, at(300), 10, &[]).await;
    assert_eq!(leased(&events, &taken), [2, 4, 1]);
    assert_eq!(taken.next_due, Some(at(400)));
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
    let events = schedule(&lab, &to, 1..=5).await;
    let taken = due(&lab, &to, at(10), 2, &[]).await;
    assert_eq!((leased(&events, &taken), taken.next_due), (vec![1, 2], Some(at(3))));
    let all = due(&lab, &to, at(10), 5, &[]).await;
    assert_eq!((all.deliveries.len(), all.next_due), (5, None));
}

/// What the caller has in hand is neither given again nor said to be due.
pub async fn what_is_in_hand_is_left_out(lab: Lab) {
    let to = lab.subscribe("a").await;
    let events = schedule(&lab, &to, 1..=4).await;
    let taken = due(&lab, &to, at(10), 1, &[&events[0], &events[2]]).await;
    assert_eq!((leased(&events, &taken), taken.next_due), (vec![2], Some(at(4))));
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
    assert_eq!(leased(&[event], &due(&lab, &to, at(99), 10, &[]).await), [1]);
}

/// Another subscription's, and what is held, delivered or was never recorded, is not given.
pub async fn only_scheduled_ones_of_the_subscription_are_leased(lab: Lab) {
    let [to, other] = [lab.subscribe("a").await, lab.subscribe("a").await];
    let of_other = lab.schedule(&other, at(1)).await;
    lab.emit("a", &[&to]).await;
    let done = lab.schedule(&to, at(1)).await;
    lab.write(vec![Record { has_row: true, ..delivered(&done, &to) }], at(2)).await;
    let taken = due(&lab, &to, at(10), 10, &[]).await;
    assert!(taken.deliveries.is_empty() && taken.next_due.is_none());
    assert_eq!(leased(&[of_other], &due(&lab, &other, at(10), 10, &[]).await), [1]);
}

/// For a manual action: what waits, what this node has in hand, and what has ended.
pub async fn what_nobody_else_has_in_hand_may_be_claimed(lab: Lab) {
    let to = lab.subscribe("a").await;
    let events = schedule(&lab, &to, [1, 2, 1_000]).await;
    let done = lab.emit("a", &[&to]).await;
    lab.write(vec![delivered(&done, &to)], at(2)).await;
    assert_eq!(due(&lab, &to, at(2), 1, &[]).await.deliveries.len(), 1);
    for event in events.iter().chain([&done]) {
        assert_eq!(lab.store().claim(lab.node(), key(event, &to)).await.unwrap(), Claimed::Own);
    }
    let taken = due(&lab, &to, at(2), 10, &[&events[0]]).await;
    assert_eq!((leased(&events, &taken), taken.next_due), (vec![2], Some(at(1_000))), "it goes on waiting");
}
