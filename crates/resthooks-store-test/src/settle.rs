//! Moving what waits from one state to another.

use resthooks::model::{Delivery, DeliveryStatus, SequencedEvent, Subscription};
use resthooks::store::{Backlog, DeliveryFilter, Record, Settle};

use crate::lab::{Lab, at, delivered, first, record};

fn ask(lab: &Lab, of: &Subscription, from: DeliveryStatus, to: DeliveryStatus) -> Settle {
    Settle {
        node: lab.node(),
        subscription: of.no,
        from,
        to,
        reason: None,
        now: at(500),
        limit: 100,
        except: Vec::new(),
    }
}

/// The deliveries of a subscription, oldest first.
async fn rows(lab: &Lab, of: &Subscription) -> Vec<Delivery> {
    let filter = DeliveryFilter { subscription: Some(of.no), ..DeliveryFilter::default() };
    let mut rows = lab.store().list_deliveries(&filter, first(250)).await.unwrap();
    rows.reverse();
    rows
}

fn statuses(rows: &[Delivery]) -> Vec<&'static str> {
    rows.iter().map(|row| row.status.as_str()).collect()
}

async fn backlog(lab: &mut Lab, of: &Subscription) -> Option<Backlog> {
    lab.backlog().await.into_iter().find(|one| one.subscription == of.no)
}

/// A pause holds what is scheduled, a resumption makes all of it due at once, and an end cancels it.
pub async fn waiting_deliveries_are_held_released_and_cancelled(mut lab: Lab) {
    let to = lab.subscribe("a").await;
    for millis in [1_000, 2_000] {
        lab.schedule(&to, at(millis)).await;
    }
    let hold = Settle {
        reason: Some("paused".to_owned()),
        ..ask(&lab, &to, DeliveryStatus::Scheduled, DeliveryStatus::Held)
    };
    assert_eq!(lab.store().settle(hold).await.unwrap(), 2);
    lab.reopen().await;
    for row in rows(&lab, &to).await {
        assert_eq!((row.status, row.reason.as_deref()), (DeliveryStatus::Held, Some("paused")));
        assert_eq!((row.next_attempt_at, row.updated_at), (None, at(500)));
    }
    let waits = Backlog { subscription: to.no, next_due: None, scheduled: 0, held: 2 };
    assert_eq!(backlog(&mut lab, &to).await, Some(waits));

    let release = ask(&lab, &to, DeliveryStatus::Held, DeliveryStatus::Scheduled);
    assert_eq!(lab.store().settle(release).await.unwrap(), 2);
    for row in rows(&lab, &to).await {
        assert_eq!(
            (row.status, row.reason, row.next_attempt_at),
            (DeliveryStatus::Scheduled, None, Some(at(500)))
        );
    }

    let cancel = Settle {
        reason: Some("gone".to_owned()),
        ..ask(&lab, &to, DeliveryStatus::Scheduled, DeliveryStatus::Cancelled)
    };
    assert_eq!(lab.store().settle(cancel).await.unwrap(), 2);
    for row in rows(&lab, &to).await {
        assert_eq!((row.status, row.reason.as_deref()), (DeliveryStatus::Cancelled, Some("gone")));
        assert_eq!(row.next_attempt_at, None);
    }
    assert_eq!(backlog(&mut lab, &to).await, None);
}

/// The oldest events' first, so many at a time, until fewer than asked for are left.
pub async fn they_are_moved_in_steps_the_oldest_first(lab: Lab) {
    let to = lab.subscribe("a").await;
    for n in 0..5 {
        lab.schedule(&to, at(100 - n)).await;
    }
    let step = Settle { limit: 2, ..ask(&lab, &to, DeliveryStatus::Scheduled, DeliveryStatus::Held) };
    assert_eq!(lab.store().settle(step.clone()).await.unwrap(), 2);
    assert_eq!(statuses(&rows(&lab, &to).await), ["held", "held", "scheduled", "scheduled", "scheduled"]);
    assert_eq!(lab.store().settle(step.clone()).await.unwrap(), 2);
    assert_eq!(lab.store().settle(step.clone()).await.unwrap(), 1);
    assert_eq!(lab.store().settle(step).await.unwrap(), 0);
}

/// What the caller has in hand stays as it is, and does not count.
pub async fn what_is_in_hand_is_not_moved(lab: Lab) {
    let to = lab.subscribe("a").await;
    let mut events: Vec<SequencedEvent> = Vec::new();
    for n in 0..4 {
        events.push(lab.schedule(&to, at(n)).await);
    }
    let step = Settle {
        limit: 2,
        except: vec![events[0].seq, events[2].seq],
        ..ask(&lab, &to, DeliveryStatus::Scheduled, DeliveryStatus::Cancelled)
    };
    assert_eq!(lab.store().settle(step.clone()).await.unwrap(), 2);
    assert_eq!(statuses(&rows(&lab, &to).await), ["scheduled", "cancelled", "scheduled", "cancelled"]);
    assert_eq!(lab.store().settle(step).await.unwrap(), 0);
}

/// Other states, and other subscriptions, are left alone.
pub async fn nothing_else_is_moved(lab: Lab) {
    let [to, other] = [lab.subscribe("a").await, lab.subscribe("a").await];
    lab.schedule(&other, at(1)).await;
    let done = lab.emit("a", &[&to]).await;
    let dead = lab.emit("a", &[&to]).await;
    let held = lab.emit("a", &[&to]).await;
    let records = vec![
        delivered(&done, &to),
        record(&dead, &to, DeliveryStatus::Dead),
        Record { reason: Some("paused".to_owned()), ..record(&held, &to, DeliveryStatus::Held) },
    ];
    lab.write(records, at(1)).await;
    let before = (rows(&lab, &to).await, rows(&lab, &other).await);
    let step = ask(&lab, &to, DeliveryStatus::Scheduled, DeliveryStatus::Cancelled);
    assert_eq!(lab.store().settle(step).await.unwrap(), 0);
    assert_eq!((rows(&lab, &to).await, rows(&lab, &other).await), before);
}
