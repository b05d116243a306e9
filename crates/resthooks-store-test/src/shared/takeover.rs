//! What becomes of a dead node's work.

use resthooks::model::{SequencedEvent, Subscription};
use resthooks::store::{Backlog, Batch, Claimed, LeaseDue, Record, Reopen, Reopened, Settle, Which};

use super::{MOMENT, take_over};
use crate::lab::{Lab, at, delivered, key, places, record, scheduled};
use resthooks::model::DeliveryStatus;

async fn due(lab: &Lab, of: &Subscription, events: &[SequencedEvent]) -> Vec<usize> {
    let ask = LeaseDue { node: lab.node(), subscription: of.no, now: at(500), limit: 99, except: Vec::new() };
    let leased = lab.store().lease_due(ask).await.unwrap();
    places(events, leased.deliveries.iter().map(|one| one.event.seq))
}

/// Those above its watermark, with what is missing of each; once nothing is, it is forgotten for good.
pub async fn events_are_taken_over(lab: Lab) {
    let to = lab.subscribe("a").await;
    let own = lab.emit("a", &[&to]).await;
    let gone = lab.another_for(MOMENT).await;
    let events = gone.append((0..4).map(|_| gone.event("a", &[&to])).collect()).await;
    let batch = Batch {
        records: vec![delivered(&events[0], &to), delivered(&events[2], &to)],
        watermark: Some(events[0].seq),
        now: at(1),
        ..Batch::default()
    };
    gone.commit(batch).await.unwrap();
    assert_eq!(take_over(&lab, &gone).await, [gone.node()]);
    let again = lab.store().take_over(lab.node(), true).await.unwrap();
    assert_eq!(again, [gone.node()], "should the first answer have been lost");

    let position = lab.store().position(gone.node()).await.unwrap();
    assert_eq!((position.watermark, position.last), (events[0].seq, events[3].seq));
    let missing = async || -> Vec<(usize, usize)> {
        let found = lab.unrecorded_of(gone.node()).await;
        let at = places(&events, found.iter().map(|one| one.event.seq));
        at.into_iter().zip(found.iter().map(|one| one.missing.len())).collect()
    };
    assert_eq!(missing().await, [(2, 1), (3, 0), (4, 1)]);
    let found = lab.unrecorded_of(gone.node()).await;
    assert_eq!((&found[0].event, &found[0].missing), (&events[1], &events[1].event.matched));
    lab.write(vec![delivered(&events[1], &to), scheduled(&events[3], &to, at(9))], at(2)).await;
    assert_eq!(missing().await, [(2, 0), (3, 0), (4, 0)]);
    assert!(lab.store().inherit(lab.node(), gone.node(), 10).await.unwrap().done);
    lab.store().forget(lab.node(), gone.node()).await.unwrap();
    assert!(lab.store().take_over(lab.node(), true).await.unwrap().is_empty());
    assert_eq!(due(&lab, &to, &events).await, [4], "what its taker has scheduled is its taker's");

    let unrecorded = lab.unrecorded().await;
    assert_eq!(unrecorded.len(), 1, "its own events are none of the other's");
    assert_eq!(unrecorded[0].event, own);
    // Who comes after it may work in its place, and has nothing to do with its events.
    let next = lab.another().await;
    assert!(next.unrecorded().await.is_empty());
    assert!(next.emit("a", &[]).await.seq > events[3].seq);
    assert_eq!(next.unrecorded().await.len(), 1);
}

/// Scheduled and held ones, also those that it had in hand, in steps; then they are its taker's and nobody else's.
pub async fn waiting_deliveries_are_taken_over(lab: Lab) {
    let [to, other] = [lab.subscribe("a").await, lab.subscribe("a").await];
    let bystander = lab.another().await;
    let gone = lab.another_for(MOMENT).await;
    let mut events = Vec::new();
    for n in 0..7 {
        events.push(gone.schedule(&to, at(100 - n)).await);
    }
    let held = gone.emit("a", &[&to, &other]).await;
    let held_too = [record(&held, &to, DeliveryStatus::Held), record(&held, &other, DeliveryStatus::Held)];
    gone.write(held_too.to_vec(), at(1)).await;
    let done = gone.schedule(&other, at(1)).await;
    gone.write(vec![Record { has_row: true, ..delivered(&done, &other) }], at(2)).await;
    assert_eq!(due(&gone, &to, &events).await.len(), 7, "they are in its hands");
    for not_theirs in [&lab, &bystander] {
        assert!(due(not_theirs, &to, &events).await.is_empty());
    }
    take_over(&lab, &gone).await;
    let expected = [
        Backlog { subscription: to.no, next_due: Some(at(94)), scheduled: 7, held: 1 },
        Backlog { subscription: other.no, next_due: None, scheduled: 0, held: 1 },
    ];
    assert_eq!(lab.inherit(&[gone.node()]).await, expected);
    assert!(lab.inherit(&[gone.node()]).await.is_empty(), "all of it was moved");
    assert_eq!(due(&lab, &to, &events).await, [7, 6, 5, 4, 3, 2, 1]);
    assert!(due(&bystander, &to, &events).await.is_empty());
    let release = Settle {
        node: bystander.node(),
        subscription: to.no,
        from: DeliveryStatus::Held,
        to: DeliveryStatus::Cancelled,
        reason: None,
        now: at(600),
        limit: 9,
        except: Vec::new(),
    };
    assert_eq!(bystander.store().settle(release.clone()).await.unwrap(), 0, "the bystander has none");
    assert_eq!(lab.store().settle(Settle { node: lab.node(), ..release }).await.unwrap(), 1);
    lab.write(vec![Record { has_row: true, ..delivered(&events[0], &to) }], at(700)).await;
    assert_eq!(due(&lab, &to, &events).await, [7, 6, 5, 4, 3, 2]);
}

/// Whoever takes over from a node that had begun to take over takes what both have left, wherever it stands.
pub async fn a_taker_that_dies_is_taken_over_with_what_it_took(lab: Lab) {
    let to = lab.subscribe("a").await;
    let gone = lab.another_for(MOMENT).await;
    let taker = lab.another_for(MOMENT).await;
    let mut events = Vec::new();
    for n in 0..6 {
        events.push(gone.schedule(&to, at(n)).await);
    }
    events.push(gone.emit("a", &[&to]).await);
    take_over(&taker, &gone).await;
    let some = taker.store().inherit(taker.node(), gone.node(), 2).await.unwrap();
    assert!(!some.done && some.backlog[0].scheduled == 2, "{some:?}");
    events.push(taker.schedule(&to, at(10)).await);
    events.push(taker.emit("a", &[&to]).await);

    let mut taken = take_over(&lab, &taker).await;
    taken.sort_unstable();
    assert_eq!(taken, [gone.node(), taker.node()]);
    let waits = lab.inherit(&taken).await;
    assert_eq!(waits, [Backlog { subscription: to.no, next_due: Some(at(0)), scheduled: 7, held: 0 }]);
    assert_eq!(due(&lab, &to, &events).await, [1, 2, 3, 4, 5, 6, 8]);
    let mut missing = Vec::new();
    for node in &taken {
        let open = lab.unrecorded_of(*node).await.into_iter().filter(|one| !one.missing.is_empty());
        missing.extend(open.map(|one| one.event.seq));
    }
    assert_eq!(places(&events, missing), [7, 9]);
    lab.write(vec![delivered(&events[6], &to), delivered(&events[8], &to)], at(20)).await;
    for node in taken {
        lab.store().forget(lab.node(), node).await.unwrap();
    }
    assert!(lab.store().take_over(lab.node(), true).await.unwrap().is_empty());
}

/// For a manual action: not what another node is sending just now; what it has not in hand goes over.
pub async fn what_another_node_has_in_hand_is_not_claimed(lab: Lab) {
    let to = lab.subscribe("a").await;
    let other = lab.another().await;
    let events = [lab.schedule(&to, at(1)).await, lab.schedule(&to, at(2)).await];
    let one = LeaseDue { node: lab.node(), subscription: to.no, now: at(9), limit: 1, except: Vec::new() };
    assert_eq!(lab.store().lease_due(one).await.unwrap().deliveries.len(), 1);
    let claim =
        async |event: &SequencedEvent| other.store().claim(other.node(), key(event, &to)).await.unwrap();
    assert_eq!(claim(&events[0]).await, Claimed::Busy, "it is in hand");
    assert_eq!(claim(&events[1]).await, Claimed::Moved);
    assert_eq!(claim(&events[1]).await, Claimed::Own);
    assert_eq!(due(&lab, &to, &events).await, [1], "the other one has gone over");
    assert_eq!(due(&other, &to, &events).await, [2]);
    let failed = Record { has_row: true, attempts: 1, automatic: 1, ..scheduled(&events[0], &to, at(100)) };
    lab.write(vec![failed], at(10)).await;
    assert_eq!(claim(&events[0]).await, Claimed::Moved, "it was put down");
    assert_eq!(due(&other, &to, &events).await, [2, 1]);
    assert!(due(&lab, &to, &events).await.is_empty());
    let done = lab.emit("a", &[&to]).await;
    lab.write(vec![delivered(&done, &to)], at(11)).await;
    assert_eq!(claim(&done).await, Claimed::Own);
}

/// What another node holds goes over, but not while it has it in hand.
pub async fn what_another_node_has_in_hand_is_not_reopened(lab: Lab) {
    let to = lab.subscribe("a").await;
    let other = lab.another().await;
    let mut events = Vec::new();
    for status in [DeliveryStatus::Held, DeliveryStatus::Held, DeliveryStatus::Dead] {
        let event = lab.emit("a", &[&to]).await;
        lab.write(vec![record(&event, &to, status)], at(1)).await;
        events.push(event);
    }
    assert_eq!(lab.store().claim(lab.node(), key(&events[0], &to)).await.unwrap(), Claimed::Own);
    let ask = Reopen {
        node: other.node(),
        subscription: to.no,
        which: Which::Events(events.iter().map(|event| event.seq).collect()),
        from: vec![DeliveryStatus::Held, DeliveryStatus::Dead],
        to: DeliveryStatus::Scheduled,
        reason: None,
        now: at(5),
        except: Vec::new(),
    };
    let expected = Reopened { ended: 1, held: 1, elsewhere: 0, last: None };
    assert_eq!(other.store().reopen(ask.clone()).await.unwrap(), expected);
    assert_eq!(due(&other, &to, &events).await, [2, 3]);
    assert!(due(&lab, &to, &events).await.is_empty());
    let put_down = Record { has_row: true, ..record(&events[0], &to, DeliveryStatus::Held) };
    lab.write(vec![put_down], at(6)).await;
    assert_eq!(
        other.store().reopen(ask).await.unwrap(),
        Reopened { ended: 0, held: 1, elsewhere: 0, last: None }
    );
}
